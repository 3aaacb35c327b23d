"use strict";
const $ = (id) => document.getElementById(id);
const clips = [$("clip-0"), $("clip-1")];
const answers = [...document.querySelectorAll("[data-answer]")];
let rater = "";
let pair = null;
let since = 0;
let busy = false;

async function ask(path, body) {
  const reply = await fetch(path, {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({rater, ...body}),
  });
  const told = await reply.json();
  if (!reply.ok) throw new Error(told.error);
  return told;
}

function tell(error) {
  $("error").textContent = error ? error.message : "";
  $("error").hidden = !error;
}

function enable() {
  const seen = pair && !$("clips").hidden && clips.every((clip) => clip.readyState >= 2);
  for (const button of answers) button.disabled = button.dataset.answer !== "skip" && !seen;
  if (seen && !since) {
    since = performance.now();
    play();
  }
}

function play() {
  for (const clip of clips) {
    clip.currentTime = 0;
    clip.play().catch(() => {});
  }
}

function reveal() {
  $("warning").hidden = true;
  $("prompt").hidden = pair.prompt === null;
  $("clips").hidden = false;
  pair.clips.forEach((source, side) => {
    clips[side].src = source;
    clips[side].play().catch(() => {});
  });
  enable();
}

function show(told) {
  pair = told.pair === null ? null : told;
  since = 0;
  $("start").hidden = true;
  $("ask").hidden = pair === null;
  $("end").hidden = pair !== null;
  $("undo").disabled = $("undo-end").disabled = !told.undo;
  for (const clip of clips) {
    clip.removeAttribute("src");
    clip.load();
  }
  if (pair === null) return;
  $("question").textContent = pair.question;
  $("progress").textContent = `${told.done + 1} of ${told.total}, ${told.rater}`;
  $("words").textContent = pair.prompt === null ? "" : pair.prompt;
  for (const button of answers) button.hidden = !pair.answers.includes(button.dataset.answer);
  if (pair.hidden) {
    $("warning").hidden = false;
    $("prompt").hidden = $("clips").hidden = true;
    enable();
  } else {
    reveal();
  }
}

async function step(path, body) {
  if (busy) return;
  busy = true;
  try {
    let failed = null;
    if (path !== "next") await ask(path, body).catch((error) => { failed = error; });
    show(await ask("next", {}));
    tell(failed);
  } catch (error) {
    tell(error);
  } finally {
    busy = false;
  }
}

function answer(choice) {
  const button = answers.find((one) => one.dataset.answer === choice);
  if (!pair || !button || button.hidden || button.disabled) return;
  const seconds = since ? (performance.now() - since) / 1000 : null;
  step("vote", {pair: pair.pair, answer: choice, seconds});
}

const KEYS = {
  ArrowLeft: ["left"], 1: ["left"], ArrowRight: ["right"], 2: ["right"],
  ArrowDown: ["tie", "neither"], 3: ["tie", "neither"], ArrowUp: ["both"], 4: ["both"], s: ["skip"],
};

document.addEventListener("keydown", (event) => {
  if (!$("start").hidden || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const wanted = (KEYS[key] || []).find((one) => pair && pair.answers.includes(one));
  if (wanted) answer(wanted);
  else if (key === "u") step("undo", {});
  else if (key === " " && pair) play();
  else if (key === "Enter" && !$("warning").hidden) reveal();
  else return;
  event.preventDefault();
});
for (const button of answers) button.addEventListener("click", () => answer(button.dataset.answer));
for (const id of ["undo", "undo-end"]) $(id).addEventListener("click", () => step("undo", {}));
$("again").addEventListener("click", play);
$("show").addEventListener("click", reveal);
for (const clip of clips) {
  for (const name of ["loadeddata", "canplay", "playing"]) clip.addEventListener(name, enable);
  clip.addEventListener("error", () => {
    if (pair && clip.getAttribute("src")) tell(new Error("A clip cannot be played; skip this pair."));
  });
}
$("start").addEventListener("submit", (event) => {
  event.preventDefault();
  rater = $("rater").value;
  step("next", {});
});
$("rater").focus();
