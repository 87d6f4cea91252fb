// The presets as a strip of thumbnails: the photo under each of them, by the service's LUTs.

import { fetchLut } from "./lut.js";
import { Picture } from "./picture.js";
import { scaled } from "./photo.js";
import { make } from "./slider.js";

const POINTS = 17;
const AT_ONCE = 2;
const LONGEST_SIDE = 160;

/** A preset's name as it is read: `faded_HighNoon` is Faded High Noon. */
export function presetTitle(name) {
  const words = name.replaceAll("_", " ").replaceAll(/([a-z])([A-Z])/g, "$1 $2");
  return words[0].toUpperCase() + words.slice(1);
}

/**
 * A strip to choose one of a parameter's options. Gives {element, show(settings), draw(photo, tool)}; `draw` makes the
 * thumbnails, those that are in sight first.
 */
export function presetStrip(id, { path, title, options }, change) {
  const element = make("div", { className: "presets" });
  element.setAttribute("role", "radiogroup");
  element.setAttribute("aria-label", title);
  const choices = options.map((option) => choice(id, option, change));
  element.append(...choices.map(({ label }) => label));
  let shown = null;
  const show = (settings) => {
    const chosen = settings[path[0]];
    if (chosen === shown) return;
    shown = chosen;
    const { label, radio } = choices[options.indexOf(chosen)];
    radio.checked = true;
    bring(element, label);
  };
  const thumbnails = new Thumbnails(element, choices.slice(1), path[0]);
  return { element, show, draw: (photo, tool) => thumbnails.draw(photo, tool, choices[0]) };
}

function choice(id, option, change) {
  const label = make("label", { className: "preset" });
  const radio = make("input", { type: "radio", name: id, value: option, className: "hidden" });
  const canvas = make("canvas", { width: 1, height: 1 });
  const name = make("span", { textContent: presetTitle(option) });
  canvas.setAttribute("aria-hidden", "true");
  label.append(radio, canvas, name);
  radio.addEventListener("change", () => change(option));
  return { label, radio, canvas, option };
}

/** Scroll the strip, and nothing else, until the label is in sight. */
function bring(strip, label) {
  const [outer, inner] = [strip.getBoundingClientRect(), label.getBoundingClientRect()];
  const left = inner.left < outer.left || inner.right > outer.right ? inner.left - outer.left - outer.width / 3 : 0;
  const top = inner.top < outer.top || inner.bottom > outer.bottom ? inner.top - outer.top - outer.height / 3 : 0;
  if (left || top) strip.scrollBy({ left, top, behavior: "instant" });
}

/** Draws what comes in sight. The LUTs are asked for once: they are the same for every photo. */
class Thumbnails {
  #picture = null;
  #luts = new Map();
  #waiting = [];
  #busy = 0;
  #tool;
  #sight;

  constructor(strip, choices, parameter) {
    this.parameter = parameter;
    this.choices = choices;
    this.#sight = new IntersectionObserver((entries) => this.#seen(entries), { root: strip, rootMargin: "80px" });
  }

  draw(photo, tool, none) {
    const small = scaled(photo, photo.width, photo.height, LONGEST_SIDE);
    paint(none.canvas, small);
    this.#tool = tool;
    try {
      this.#picture ??= new Picture(document.createElement("canvas"));
    } catch {
      return; // no WebGL2: the names are left
    }
    this.#picture.setPhoto(small);
    for (const choice of this.choices) {
      if (this.#luts.has(choice.option)) this.#paint(choice);
      else this.#sight.observe(choice.label);
    }
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const choice = this.choices.find(({ label }) => label === target);
      this.#waiting = this.#waiting.filter((other) => other !== choice);
      if (isIntersecting && !this.#luts.has(choice.option)) this.#waiting.push(choice);
    }
    while (this.#busy < AT_ONCE && this.#waiting.length) this.#next();
  }

  async #next() {
    const choice = this.#waiting.shift();
    this.#busy++;
    try {
      const settings = Object.fromEntries(this.#tool.parameters.map(({ path, high }) => [path[0], high]));
      const grade = { [this.#tool.name]: { ...settings, [this.parameter]: choice.option } };
      this.#luts.set(choice.option, await fetchLut(grade, POINTS, true));
      this.#sight.unobserve(choice.label);
      this.#paint(choice);
    } catch {
      // It stays without a thumbnail until it comes in sight again.
    } finally {
      this.#busy--;
    }
    if (this.#waiting.length) this.#next();
  }

  #paint(choice) {
    this.#picture.setLut(this.#luts.get(choice.option));
    this.#picture.draw();
    paint(choice.canvas, this.#picture.canvas);
  }
}

function paint(canvas, picture) {
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
}
