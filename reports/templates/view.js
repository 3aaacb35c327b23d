"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  // The list of runs: filter the rows, and keep the filter in the address.
  const filter = byId("filter");
  const rows = [...document.querySelectorAll("#runs > tr")];
  if (filter) {
    const show = () => {
      const words = filter.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(words);
        shown += !row.hidden;
      }
      byId("count").textContent = `${shown} of ${rows.length} run${rows.length === 1 ? "" : "s"}`;
    };
    filter.value = decodeURIComponent(location.hash.slice(1));
    filter.addEventListener("input", () => {
      history.replaceState(null, "", `#${encodeURIComponent(filter.value)}`);
      show();
    });
    show();
  }

  // Progress of runs under way: asked for every two seconds while there is one.
  const waits = [...document.querySelectorAll('[data-finished="false"], .waits')];
  const ask = async () => {
    let told;
    try {
      told = await (await fetch("/progress")).json();
    } catch {
      return;
    }
    for (const row of waits) {
      const run = told[row.dataset.run];
      if (!run) continue;
      row.querySelector(".done").textContent = `${run.clips} of ${run.items}`;
      if (run.finished) location.reload();
    }
    setTimeout(ask, 2000);
  };
  if (waits.length) ask();

  // Clips: choices are sent when they change; a hidden clip loads when it is opened.
  for (const select of document.querySelectorAll("#choose select")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }

  // One clip, at its frame.
  const video = document.querySelector(".slot video");
  const frame = byId("frame");
  const go = (number) => {
    const last = Number(frame.max);
    const at = Math.max(0, Math.min(last, Math.round(number)));
    frame.value = String(at);
    video.pause();
    video.currentTime = at / Number(frame.dataset.fps) + 0.001;
    history.replaceState(null, "", at ? `?frame=${at}` : location.pathname);
  };
  if (video && frame) {
    const start = Number(frame.value);
    if (start) video.addEventListener("loadedmetadata", () => go(start), { once: true });
    if (start && video.readyState > 0) go(start);
    frame.addEventListener("input", () => go(Number(frame.value)));
    for (const button of document.querySelectorAll(".seek")) {
      button.addEventListener("click", () => go(Number(button.dataset.frame)));
    }
  }
})();
