"use strict";
const poll = JSON.parse(document.getElementById("poll").textContent);
const QUESTIONS = ["preference", "fits_a", "fits_b", "same_look"];
const $ = (id) => document.getElementById(id);

let annotator = "";
let answers = {}; // item -> question -> value
let place = 0; // index of the item shown; one past the last is the end
let unsaved = false; // only where the browser keeps nothing

const storage = {
  key: (name) => `recolor-vote:${poll.poll}:${name}`,
  read(key) {
    try { return localStorage.getItem(key); } catch { return null; }
  },
  write(key, value) {
    try { localStorage.setItem(key, value); return true; } catch { return false; }
  },
};

function kept(name) {
  try {
    const state = JSON.parse(storage.read(storage.key(name)) ?? "{}");
    return { answers: state.answers ?? {}, place: Math.min(Math.max(0, state.place | 0), poll.items.length) };
  } catch { return { answers: {}, place: 0 }; }
}

function keep() {
  const written = storage.write(storage.key(annotator), JSON.stringify({ answers, place }));
  if (written) { storage.write(`recolor-vote:${poll.poll}`, annotator); return; }
  unsaved = true;
  tell("This browser keeps nothing for this page: save your votes as a file before you close it.");
}

function tell(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

const answersTo = (item) => answers[item.item] ?? {};
const isComplete = (item) => QUESTIONS.every((question) => answersTo(item)[question] !== undefined);

function begin(name) {
  annotator = name;
  ({ answers, place } = kept(name));
  $("name-shown").textContent = name;
  for (const id of ["who", "save"]) $(id).hidden = false;
  $("start").hidden = true;
  show();
}

function leave() {
  for (const id of ["who", "save", "ballot", "end"]) $(id).hidden = true;
  $("start").hidden = false;
  $("name").value = "";
  $("resumed").textContent = "";
  $("name").focus();
}

function show() {
  keep();
  const atEnd = place === poll.items.length;
  $("ballot").hidden = atEnd;
  $("end").hidden = !atEnd;
  if (atEnd) { showEnd(); return; }
  const item = poll.items[place];
  $("place").textContent = `Photo ${place + 1} of ${poll.items.length}`;
  $("intent").textContent = `“${item.intent}”`;
  for (const picture of ["source", "a", "b"]) $(picture).src = poll.pictures[item[picture]];
  for (const question of QUESTIONS) {
    for (const input of document.getElementsByName(question)) input.checked = input.value === answersTo(item)[question];
  }
  $("back").disabled = place === 0;
  showProgress();
  $("intent").focus();
  window.scrollTo(0, 0);
}

function showProgress() {
  $("progress").max = poll.items.length;
  $("progress").value = poll.items.filter(isComplete).length;
}

function showEnd() {
  const open = poll.items.filter((item) => !isComplete(item));
  $("thanks").textContent = open.length ? "Some answers are missing" : `Thank you, ${annotator}: all is answered`;
  $("missing").textContent = open.length
    ? "You can go back to these photos, or save what there is:"
    : "Save your votes as a file, and send it to who gave you this page.";
  $("open").replaceChildren(...open.map((item) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `“${item.intent}”`;
    button.addEventListener("click", () => turnTo(poll.items.indexOf(item)));
    return button;
  }));
  $("saved").textContent = "";
  $("thanks").focus();
}

function turnTo(index) {
  place = Math.min(Math.max(0, index), poll.items.length);
  show();
}

function answer(question, value) {
  const item = poll.items[place];
  answers[item.item] = { ...answersTo(item), [question]: value };
  for (const input of document.getElementsByName(question)) input.checked = input.value === value;
  keep();
  showProgress();
}

function showOriginal(shown) {
  const item = poll.items[place];
  if (!item) return;
  for (const edit of ["a", "b"]) $(edit).src = poll.pictures[shown ? item.source : item[edit]];
}

function save() {
  const votes = poll.items.filter((item) => Object.keys(answersTo(item)).length).map((item) => {
    const vote = { item: item.item };
    for (const question of QUESTIONS) {
      const value = answersTo(item)[question] ?? null;
      vote[question] = question === "preference" || value === null ? value : value === "yes";
    }
    return vote;
  });
  const content = { poll: poll.poll, annotator, saved: new Date().toISOString(), votes };
  const file = new Blob([JSON.stringify(content, null, 1)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `votes-${annotator.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "") || "unnamed"}.json`;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  unsaved = false;
  $("saved").textContent = `Saved as ${link.download} among your downloads.`;
  if (place < poll.items.length) tell(`Saved as ${link.download}: ${poll.items.filter(isComplete).length} of ${poll.items.length} photos are answered.`);
}

function onKey(event) {
  if ($("ballot").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  const inChoice = event.target.type === "radio";
  const onButton = event.target.tagName === "BUTTON";
  if (key === "o") { if (!event.repeat) showOriginal(true); return; }
  if (["a", "b", "n"].includes(key)) answer("preference", key === "n" ? "neutral" : key);
  else if (["1", "2", "3"].includes(key)) {
    const question = document.querySelector(`[data-key="${key}"]`).dataset.question;
    answer(question, answersTo(poll.items[place])[question] === "yes" ? "no" : "yes");
  } else if (key === "enter" && !onButton) turnTo(place + 1);
  else if (key === "arrowright" && !inChoice) turnTo(place + 1);
  else if (key === "arrowleft" && !inChoice) turnTo(place - 1);
  else return;
  event.preventDefault();
}

$("start").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  if (name) begin(name);
});
$("name").addEventListener("input", () => {
  const done = Object.keys(kept($("name").value.trim()).answers).length;
  $("resumed").textContent = done ? `You have answered about ${done} photos here: you go on where you stopped.` : "";
});
$("questions").addEventListener("change", (event) => answer(event.target.name, event.target.value));
$("questions").addEventListener("submit", (event) => event.preventDefault());
$("back").addEventListener("click", () => turnTo(place - 1));
$("next").addEventListener("click", () => turnTo(place + 1));
$("again").addEventListener("click", () => turnTo(poll.items.length - 1));
$("leave").addEventListener("click", leave);
$("save").addEventListener("click", save);
$("finish").addEventListener("click", save);
for (const edit of ["a", "b"]) {
  $(edit).addEventListener("pointerdown", () => showOriginal(true));
  $(edit).addEventListener("contextmenu", (event) => event.preventDefault());
  $(edit).addEventListener("dragstart", (event) => event.preventDefault());
}
for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => showOriginal(false));
document.addEventListener("keydown", onKey);
document.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "o") showOriginal(false); });
window.addEventListener("blur", () => showOriginal(false));
window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

$("name").value = storage.read(`recolor-vote:${poll.poll}`) ?? "";
$("name").dispatchEvent(new Event("input"));
$("name").focus();
