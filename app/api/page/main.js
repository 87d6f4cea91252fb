// The playground: a look in words becomes settings of three tools, and the picture follows them.

import { ask, read } from "./api.js";
import { Compare } from "./compare.js";
import { offerExports } from "./exports.js";
import { tell } from "./feedback.js";
import { fullGrade, isUsed, neutralGrade, readTools, withValue } from "./grade.js";
import { History } from "./history.js";
import { LivePicture } from "./live.js";
import { decidedBy, summary, toolPanel } from "./panels.js";
import { offerPhotos } from "./photo.js";
import { RenderedPicture } from "./rendered.js";
import { make, slider } from "./slider.js";
import { answerLine, failures, problem, say } from "./words.js";

const SUGGESTIONS = [
  "golden hour", "blade runner", "faded 70s film", "a bit colder, less harsh", "moody black and white",
  "teal and orange", "dreamy pastel", "deep blue sky", "cozy autumn evening", "the matrix",
];
const STRENGTH = {
  title: "Strength", about: "How much of the whole look is laid over the photo.", low: 0, high: 100, neutral: 100,
};

const $ = (id) => document.getElementById(id);
const NO_ANSWER = [...$("answer").childNodes];
const compare = new Compare($("frame"), $("compare"));

let tools = [];
let panels = []; // {tool, panel, jump}
let strength = null;
let picture = null;
let photo = null;
let history = null;
let state = null; // {grade, strength, answer}: what is shown; the answer is the one that it came from, or null
let project = "";
let asking = null;

/** Show a state. `moves` says what of it is moving, as `LivePicture.follow` takes it. */
function show(next, moves = null) {
  const another = next.answer !== state.answer;
  state = next;
  if (another) showAnswer(next.answer);
  const answered = fullGrade(tools, next.answer ?? {});
  for (const { tool, panel, jump } of panels) {
    const badge = decidedBy(tool, next.grade[tool.name], next.answer, answered);
    panel.show(next.grade[tool.name], badge);
    if (another && next.answer) panel.point(next.grade[tool.name]);
    jump.dataset.kind = badge.kind;
  }
  strength.set(next.strength);
  picture.follow(next.grade, next.strength, moves);
  $("undo").disabled = !history.canUndo;
  $("redo").disabled = !history.canRedo;
  $("reset").disabled = !changes() && next.strength === 100;
}

/** Whether the look changes anything. */
function changes() {
  return tools.some((tool) => isUsed(tool, state.grade[tool.name]));
}

/** Show a state and keep it for undo; `what` was changed. */
function settle(next, what) {
  history.record(next, what);
  $("note").textContent = ""; // it was about the look before
  show(next);
}

function showAnswer(answer) {
  for (const id of ["good", "bad"]) {
    $(id).disabled = !answer;
    $(id).setAttribute("aria-pressed", "false");
  }
  if (!answer) $("answer").replaceChildren(...NO_ANSWER);
  else answerLine($("answer"), answer, tools.every((tool) => !answer[tool.name]));
}

/** Ask for a look, and show the answer. A look that is asked for meanwhile comes first. */
async function apply(intent) {
  asking?.abort();
  const mine = (asking = new AbortController());
  busy(true);
  const began = performance.now();
  try {
    const response = await ask("/recolor", { body: { intent, project_id: project }, signal: mine.signal });
    const answer = await read(response, "json");
    if (mine !== asking) return;
    take({ ...answer, roundTrip: performance.now() - began });
  } catch (error) {
    if (mine !== asking) return;
    say("");
    problem(error, () => apply(intent));
  } finally {
    if (mine === asking) busy(false);
  }
}

function take(answer) {
  const titles = Object.fromEntries(tools.map(({ name, title }) => [name, title]));
  const failed = failures(answer, titles);
  problem(failed, failed && Object.keys(answer.sources).length ? () => apply(answer.intent) : null);
  if (failed && !Object.keys(answer.sources).length) {
    say("");
    return;
  }
  const grade = fullGrade(tools, answer);
  settle({ grade, strength: state.strength, answer });
  const { intent, model, timings_ms: timings } = answer;
  say(`“${intent}”, by ${model} in ${Math.round(timings.total)} milliseconds. ${summary(tools, grade)}.`);
}

function busy(yes) {
  $("frame").dataset.busy = String(yes);
  $("go").setAttribute("aria-busy", String(yes));
  if (yes) say("Asking for the look.");
}

async function feedback(event) {
  const { answer } = state;
  const sentence = await tell(event, tools, state, project);
  if (!sentence || answer !== state.answer) return;
  $("good").setAttribute("aria-pressed", String(event === "exported"));
  $("bad").setAttribute("aria-pressed", String(event === "discarded"));
  return sentence;
}

function build(schemas) {
  tools = readTools(schemas);
  state = { grade: neutralGrade(tools), strength: 100, answer: null };
  history = new History(state);
  strength = slider("strength-value", STRENGTH, {
    input: (value) => show({ ...state, strength: value }, {}),
    change: (value) => settle({ ...state, strength: value }, "strength"),
  });
  $("strength").replaceChildren(strength.element);
  panels = tools.map((tool) => ({
    tool,
    panel: toolPanel(tool, {
      input: ({ path, low, high }, value) => {
        const grade = withValue(state.grade, tool.name, path, value);
        show({ ...state, grade }, { tool: tool.name, path, low, high });
      },
      change: (path, value) => settle(changed(tool, path, value), [tool.name, ...path].join(".")),
      reset: () => settle({ ...state, grade: { ...state.grade, [tool.name]: neutralGrade(tools)[tool.name] } }),
    }),
    jump: make("a", { href: `#tool-${tool.name}`, textContent: tool.title }),
  }));
  $("panels").replaceChildren(...panels.map(({ panel }) => panel.element));
  document.querySelector(".jump").replaceChildren(...panels.map(({ jump }) => jump));
}

/** The state with one value changed. A name that is chosen while its amount is zero comes with half of it. */
function changed(tool, path, value) {
  let grade = withValue(state.grade, tool.name, path, value);
  const named = tool.parameters.find(({ options }) => options);
  if (named && path[0] === named.path[0] && value !== named.neutral && !isUsed(tool, grade[tool.name])) {
    for (const amount of tool.parameters.filter(({ options }) => !options)) {
      grade = withValue(grade, tool.name, amount.path, Math.round(amount.high / 2));
    }
  }
  return { ...state, grade };
}

function newPicture() {
  const follow = [$("before"), $("after"), tools, (error) => problem(error, error && (() => show(state)))];
  try {
    const live = new LivePicture(...follow);
    if (live.missing.length) warn(`This browser cannot draw ${live.missing.join(", ")}: see them in exports.`, true);
    return live;
  } catch {
    warn("This browser has no WebGL2: to show a look, the photo is sent to this server and rendered there.");
    return new RenderedPicture(...follow);
  }
}

/** Say what this browser cannot do: beside the promise about photos, or in its place where it does not hold. */
function warn(sentence, besides = false) {
  $("privacy").textContent = besides ? `${$("privacy").textContent} ${sentence}` : sentence;
  $("privacy").classList.add("wrong");
}

function open(opened) {
  photo = opened;
  project = newProject();
  const { width, height } = photo.canvas;
  $("frame").style.setProperty("--ratio", width / height);
  picture.setPhoto(photo);
  for (const { tool, panel } of panels) for (const strip of panel.strips) strip.draw(photo.canvas, tool);
  $("frame").dataset.busy = "false";
  problem(null);
  show(state);
}

/** A photo that is worked on is a project, by a name that says nothing. */
function newProject() {
  const bytes = [...crypto.getRandomValues(new Uint8Array(12))];
  return `playground-${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function wire() {
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const intent = $("intent").value.trim();
    if (intent) apply(intent);
    else $("intent").focus();
  });
  for (const look of SUGGESTIONS) {
    const chip = make("button", { type: "button", textContent: look });
    chip.addEventListener("click", () => {
      $("intent").value = look;
      apply(look);
    });
    const item = make("li");
    item.append(chip);
    $("suggestions").append(item);
  }
  $("undo").addEventListener("click", () => show(history.undo()));
  $("redo").addEventListener("click", () => show(history.redo()));
  $("reset").addEventListener("click", () => settle({ grade: neutralGrade(tools), strength: 100, answer: null }));
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey)) return;
    if (event.target.matches("[type=text], [type=password]")) return; // there it undoes typing
    event.preventDefault();
    show(event.shiftKey ? history.redo() : history.undo());
  });
  // Not before the look is seen: else the line would wipe over the photo as it was.
  $("after").addEventListener("drawn", () => changes() && compare.show());
  const note = (sentence) => ($("note").textContent = sentence);
  $("good").addEventListener("click", async () => note((await feedback("exported")) ?? ""));
  $("bad").addEventListener("click", async () => note((await feedback("discarded")) ?? ""));
  const exported = async (sentence) => {
    note(sentence);
    const told = await feedback("exported");
    if (told?.startsWith("Your")) note(`${sentence} ${told}`);
  };
  offerExports(() => ({ state, photo, picture, tools }), exported, problem);
}

async function start() {
  try {
    build(await read(await ask("/tools"), "json"));
  } catch (error) {
    problem(error, start);
    return;
  }
  picture = newPicture();
  wire();
  offerPhotos(open, problem)();
  if (matchMedia("(hover: hover)").matches) $("intent").focus();
}

await start();

/** For tests: the pixels that are shown, and the state that they show. */
export const shown = { pixels: () => picture.pixels(), state: () => state };
