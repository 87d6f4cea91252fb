// The three tools as what they are: a panel a tool, made from its description.

import { isUsed, sameSettings, valueAt } from "./grade.js";
import { presetStrip, presetTitle } from "./presets.js";
import { make, signed, slider } from "./slider.js";

/**
 * A tool's panel. `input(parameter, value)` is called while a value moves, `change(path, value)` when it rests,
 * `reset()` to make the tool neutral. Gives {element, strips, show(settings, badge), point(settings)}: a badge is
 * {text, kind}; `point` brings what an answer has set most into sight.
 */
export function toolPanel(tool, hooks) {
  const element = make("section", { id: `tool-${tool.name}`, className: "tool" });
  const title = make("h2", { id: `title-${tool.name}`, textContent: tool.title });
  const badge = make("span", { className: "badge" });
  const reset = make("button", { type: "button", className: "quiet small", textContent: "Reset" });
  const about = make("p", { className: "about", textContent: tool.about });
  const head = make("header");
  const body = make("div", { className: "parameters" });
  element.dataset.tool = tool.name;
  element.setAttribute("aria-labelledby", title.id);
  reset.setAttribute("aria-label", `Reset ${tool.title}`);
  reset.addEventListener("click", hooks.reset);
  head.append(title, badge, reset);
  element.append(head, about, body);

  const parts = tool.groups.length ? [swatches(tool, hooks)] : tool.parameters.map((its) => part(tool, its, hooks));
  // A strip is long, and what belongs to it should stay in sight.
  parts.sort((one, other) => Boolean(one.draw) - Boolean(other.draw));
  body.append(...parts.map((made) => made.element));
  explain(body, about, tool.about);

  const show = (settings, { text, kind }) => {
    for (const made of parts) made.show(settings);
    badge.textContent = text;
    badge.dataset.kind = kind;
    reset.disabled = !isUsed(tool, settings);
  };
  const point = (settings) => parts.forEach((made) => made.point?.(settings));
  return { element, show, point, strips: parts.filter((made) => made.draw) };
}

/** Who decided a tool's settings, or why nobody did, in words. */
export function decidedBy(tool, settings, answer, answered) {
  const used = isUsed(tool, settings);
  const edited = { text: "edited by you", kind: "edited" };
  if (!answer) return used ? edited : { text: "not used", kind: "unused" };
  if (!sameSettings(tool, settings, answered[tool.name])) return edited;
  if (answer.failed[tool.name]) return { text: "not answered", kind: "failed" };
  const source = answer.sources[tool.name];
  return { text: used ? `by the ${source}` : `not used · ${source}`, kind: used ? source : "unused" };
}

function part(tool, its, { input, change }) {
  const id = [tool.name, ...its.path].join("-");
  if (its.options) return presetStrip(id, its, (value) => change(its.path, value));
  const made = slider(id, its, {
    input: (value) => input(its, value),
    change: (value) => change(its.path, value),
  });
  made.element.dataset.parameter = its.path.at(-1);
  return { element: made.element, show: (settings) => made.set(valueAt(settings, its.path)) };
}

/** Groups of the same parameters: a swatch a group, and the sliders of the one that is chosen. */
function swatches(tool, hooks) {
  const element = make("div", { className: "swatches" });
  const row = make("div", { className: "swatch-row" });
  row.setAttribute("role", "radiogroup");
  row.setAttribute("aria-label", `${tool.title}: which range`);
  element.append(row);
  const choices = tool.groups.map((group) => swatch(tool, group, hooks, element));
  row.append(...choices.map((choice) => choice.label));
  element.append(...choices.map((choice) => choice.sliders));
  choices[0].choose();
  const show = (settings) => choices.forEach((choice) => choice.show(settings));
  const point = (settings) => {
    const amounts = choices.map((choice) => choice.amount(settings));
    const most = Math.max(...amounts);
    if (most) choices[amounts.indexOf(most)].choose();
  };
  return { element, show, point };
}

function swatch(tool, group, hooks, element) {
  const label = make("label", { className: "swatch" });
  const radio = make("input", { type: "radio", name: tool.name, className: "hidden" });
  const colour = make("span", { className: "colour" });
  const name = make("span", { className: "name", textContent: group.title });
  const values = make("span", { className: "values" });
  label.append(radio, colour, name, values);
  const inner = tool.parameters.filter(({ path }) => path[0] === group.name);
  const parts = inner.map((its) => part(tool, { ...its, title: `${group.title}: ${its.title.toLowerCase()}` }, hooks));
  const sliders = make("div", { className: "swatch-sliders" });
  sliders.append(...parts.map((made) => made.element));
  label.dataset.group = sliders.dataset.group = group.name;
  const choose = () => {
    radio.checked = true;
    for (const other of element.querySelectorAll(".swatch-sliders")) other.hidden = other !== sliders;
    sliders.hidden = false;
  };
  radio.addEventListener("change", choose);
  const show = (settings) => {
    for (const made of parts) made.show(settings);
    const set = inner.map(({ path, low }) => signed(valueAt(settings, path), low));
    values.textContent = set.some((value) => value !== "0") ? set.join("/") : "";
  };
  const amount = (settings) => Math.max(...inner.map(({ path }) => Math.abs(valueAt(settings, path))));
  return { label, sliders, choose, show, amount };
}

/** The line under the title explains what is pointed at, or has the focus. */
function explain(body, about, resting) {
  const text = (target) => target.closest?.(".parameter")?.querySelector(".hidden")?.textContent ?? resting;
  const tell = (target) => (about.textContent = text(target));
  for (const kind of ["pointerover", "focusin"]) body.addEventListener(kind, ({ target }) => tell(target));
  body.addEventListener("pointerleave", () => tell(document.activeElement));
  body.addEventListener("focusout", () => tell(about));
}

/** What an answer does, in one sentence for those who do not see it. */
export function summary(tools, grade) {
  const used = tools.filter((tool) => isUsed(tool, grade[tool.name]));
  return used.map((tool) => `${tool.title}: ${values(tool, grade[tool.name])}`).join("; ") || "No tool is used";
}

function values(tool, settings) {
  const all = tool.parameters.map((its) => [its, valueAt(settings, its.path)]);
  const set = all.filter(([its, value]) => value !== its.neutral);
  const named = ([{ options, path }, value]) => (options ? presetTitle(value) : [...path, value].join(" "));
  return set.map(named).join(", ");
}
