// What the page says: about an answer, and about what went wrong.

import { make } from "./slider.js";

const INVALID = "the model's answer was not valid";
const REASONS = {
  invalid_json: INVALID,
  schema: INVALID,
  truncated: INVALID,
  timeout: "time ran out",
  engine_error: "the model failed",
  teacher_error: "the teacher could not be asked",
  low_confidence: "no model here can read the text",
};
const STAGES = { generate: "student", teacher: "teacher" };

const status = document.getElementById("status");
const banner = document.getElementById("problem");
const [again, close] = banner.querySelectorAll("button");
let retry = null;
again.addEventListener("click", () => {
  const run = retry;
  problem(null);
  run();
});
close.addEventListener("click", () => problem(null));

/** Say something to those who do not see the page. */
export function say(sentence) {
  status.textContent = sentence;
}

/** Show what is wrong, an error or a sentence, and offer `run` to try again; null: nothing is wrong any more. */
export function problem(error, run = null) {
  banner.hidden = !error;
  banner.querySelector("p").textContent = error?.message ?? error ?? "";
  retry = run;
  again.hidden = !run;
}

/** What an answer's failed tools mean, in a sentence; empty where none failed. `titles` are by tool. */
export function failures(answer, titles) {
  const failed = Object.entries(answer.failed);
  if (!failed.length) return "";
  if (failed.every(([, reason]) => reason === "low_confidence")) {
    return "No model here can read this text. Say it in other words, best in English; the look stays as it was.";
  }
  const list = failed.map(([tool, reason]) => `${titles[tool]} (${REASONS[reason] ?? reason})`).join(", ");
  const left = failed.length > 1 ? "They are left unused" : "It is left unused";
  return `Not answered: ${list}. ${left}. Try again, or set it by hand.`;
}

/** Show who answered, and how fast. `unused` is whether no tool is used. */
export function answerLine(line, { intent, model, cached, timings_ms: timings, roundTrip }, unused) {
  const known = Object.entries(timings).filter(([stage]) => stage in STAGES);
  const stages = known.map(([stage, ms]) => `${STAGES[stage]} ${shown(ms)}`);
  const details = [model, ...stages, `round trip ${shown(roundTrip)}`];
  const parts = [
    make("strong", { textContent: `“${intent}”` }),
    make("span", { className: "pill", textContent: `${shown(timings.total)}${cached ? ", from the cache" : ""}` }),
    make("span", { className: "muted", textContent: details.join(" · ") }),
  ];
  if (unused) parts.splice(1, 0, make("span", { textContent: "needs no change." }));
  line.replaceChildren(...parts);
}

function shown(milliseconds) {
  return `${milliseconds < 9.95 ? milliseconds.toFixed(1) : Math.round(milliseconds)}\u00a0ms`;
}
