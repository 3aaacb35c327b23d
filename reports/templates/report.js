"use strict";
// The page reads without this script; it adds folding, sorting, searching and playing.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);

  // Score table: tags and methods fold under their measure.
  const measures = [...document.querySelectorAll("tbody.measure")];
  const fold = (body, open) => {
    body.classList.toggle("open", open);
    body.querySelector(".toggle").setAttribute("aria-expanded", String(open));
  };
  for (const body of measures) {
    body.querySelector(".toggle").addEventListener("click", () => fold(body, !body.classList.contains("open")));
  }
  const expand = byId("expand");
  expand?.addEventListener("click", () => {
    const open = expand.getAttribute("aria-expanded") !== "true";
    expand.setAttribute("aria-expanded", String(open));
    expand.textContent = open ? "Hide tags and methods" : "Show tags and methods of all measures";
    for (const body of measures) fold(body, open);
  });

  // Distributions: one measure at a time.
  byId("strip")?.addEventListener("change", (event) => {
    for (const figure of document.querySelectorAll(".strips figure")) {
      figure.classList.toggle("shown", figure.id === event.target.value);
    }
  });

  // Clips: sort and filter the items on the page.
  const grid = byId("cards");
  if (!grid) return;
  const cards = [...grid.children];
  const value = (card, run, measure) => data.values[card.dataset.id]?.[run]?.[measure];
  const runs = Object.keys(data.values[cards[0].dataset.id]);

  const sortKey = (measure, order, run) => {
    const sign = (data.better[measure] === "lower" ? -1 : 1) * (order === "best" ? -1 : 1);
    return (card) => {
      if (order === "change") {
        const [a, b] = runs.map((r) => value(card, r, measure));
        return a === undefined || b === undefined ? Infinity : -Math.abs(b - a);
      }
      const v = value(card, run, measure);
      return v === undefined ? Infinity : sign * v;
    };
  };

  // A score that knows when something shows leads to that frame of its clip.
  for (const button of document.querySelectorAll(".seek")) {
    button.addEventListener("click", () => {
      const video = button.closest(".slot").querySelector("video");
      video.pause();
      video.currentTime = Number(button.dataset.at) + 0.001;
      video.scrollIntoView({ block: "nearest" });
    });
  }

  const search = (card) => [...card.querySelectorAll(".searched")].map((e) => e.textContent).join(" ").toLowerCase();
  const texts = new Map(cards.map((card) => [card, search(card)]));
  const tags = new Map(cards.map((card) => [card, JSON.parse(card.dataset.tags)]));

  const show = () => {
    const measure = byId("sort").value;
    const tag = byId("tag").value;
    const outcome = byId("outcome").value;
    const words = byId("text").value.trim().toLowerCase();
    const run = byId("run")?.value ?? runs[0];
    let ordered = cards;
    if (measure) {
      const key = sortKey(measure, byId("order").value, run);
      ordered = cards.map((card) => [key(card), card]).sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)).map((pair) => pair[1]);
    }
    let shown = 0;
    for (const card of ordered) {
      const visible =
        (!tag || tags.get(card).includes(tag)) &&
        (!outcome || card.dataset.outcomes.split(" ").includes(outcome)) &&
        texts.get(card).includes(words);
      card.hidden = !visible;
      shown += visible;
      card.querySelectorAll(".slot").forEach((slot, i) => {
        const line = slot.querySelector(".chosen");
        const v = value(card, runs[i], measure);
        line.hidden = !measure;
        line.textContent = measure ? `${measure} ${v === undefined ? "\u2014" : Number(v.toPrecision(4))}` : "";
      });
    }
    grid.append(...ordered);
    byId("count").textContent = `${shown} of ${cards.length} item${cards.length === 1 ? "" : "s"}`;
  };
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("controls").addEventListener("input", show);

  // Playing: clips in view play by themselves unless reduced motion is asked for; hidden ones never do.
  const play = byId("play");
  const videos = [...grid.querySelectorAll("video:not([data-manual])")];
  const inView = new Set();
  let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  const start = (video) => video.play().catch(() => {});
  const label = () => {
    play.setAttribute("aria-pressed", String(playing));
    play.textContent = playing ? "Pause all" : "Play all";
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inView.add(target);
      else inView.delete(target);
      if (isIntersecting && playing) start(target);
      else if (!isIntersecting) target.pause();
    }
  });
  videos.forEach((video) => watcher.observe(video));
  play.addEventListener("click", () => {
    playing = !playing;
    label();
    for (const video of grid.querySelectorAll("video")) {
      if (!playing) video.pause();
      else if (inView.has(video)) start(video);
    }
  });
  label();
})();
