// The picture that follows the tools: drawn in the page, by the LUTs of the service.

import { LutFeed } from "./feed.js";
import { plainGrade } from "./grade.js";
import { Picture, SPATIAL } from "./picture.js";
import { scaled } from "./photo.js";

const REST_MS = 150;
const SHORTEST_SIDE = 480;

export class LivePicture {
  #picture;
  #feed;
  #photo = null;
  #longest = 0; // side of what is drawn, in pixels
  #lut = null; // the newest
  #amounts = {};
  #strength = 100;
  #frame = 0; // the one that will show what was drawn last
  #outdated = false; // something has changed since
  #resting = 0;

  /** `fail(error)` is told why the picture does not follow, null when it does again. Throws without WebGL2. */
  constructor(before, after, tools, fail) {
    this.before = before;
    this.after = after;
    this.#picture = new Picture(after);
    this.#feed = new LutFeed((grade) => plainGrade(tools, grade), (lut) => this.#show(lut), fail);
    new ResizeObserver(() => this.#fit()).observe(before);
    after.addEventListener("webglcontextlost", (event) => event.preventDefault());
    after.addEventListener("webglcontextrestored", () => this.#restore());
  }

  /** The steps of a look that this browser cannot draw. */
  get missing() {
    return this.#picture.spatial ? [] : SPATIAL;
  }

  setPhoto(photo) {
    this.#photo = photo;
    this.#longest = 0;
    this.#fit();
  }

  /** Show a grade. `moves` says which value is moving, {tool, path, low, high}, the strength by {}; null: it rests. */
  follow(grade, strength, moves = null) {
    const amounts = Object.fromEntries(SPATIAL.map((name) => [name, grade.adjust?.[name] ?? 0]));
    const redraw = strength !== this.#strength || SPATIAL.some((name) => amounts[name] !== this.#amounts[name]);
    this.#amounts = amounts;
    this.#strength = strength;
    this.after.dataset.atRest = "false";
    clearTimeout(this.#resting);
    this.#resting = moves ? setTimeout(() => this.follow(grade, strength), REST_MS) : 0;
    this.#feed.want(grade, moves?.tool ? moves : null);
    // Else the picture changes when the LUT is there: to draw the old one again would only make it wait.
    if (redraw || this.#feed.caughtUp) this.#schedule();
  }

  /** The graded photo at the largest size that is held here, as a JPEG blob. */
  async save() {
    const { canvas } = this.#photo;
    this.#picture.setPhoto(canvas);
    const pixels = this.#picture.pixels();
    this.#picture.setPhoto(this.before);
    this.#picture.draw();
    const saved = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
    saved.getContext("2d").putImageData(pixels, 0, 0);
    return new Promise((resolve) => saved.toBlob(resolve, "image/jpeg", 0.95));
  }

  /** What is shown, as RGBA bytes. */
  pixels() {
    return this.#picture.pixels();
  }

  #show(lut) {
    this.#lut = lut;
    this.#picture.setLut(lut);
    this.#schedule();
  }

  /** Draw at once, and what comes before the screen has shown that in its next frame. */
  #schedule() {
    if (this.#frame) {
      this.#outdated = true;
      return;
    }
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#outdated) this.#schedule();
    });
    this.#outdated = false;
    this.#picture.setAmounts(this.#amounts, this.#strength);
    this.#picture.draw();
    this.after.dataset.atRest = String(!this.#resting && this.#feed.caughtUp);
    this.after.dispatchEvent(new Event("drawn"));
  }

  /** Draw as many pixels as are seen: a smaller picture follows faster. */
  #fit() {
    if (!this.#photo) return;
    const { width, height } = this.before.getBoundingClientRect();
    const seen = Math.ceil(Math.max(width, height) * devicePixelRatio);
    const { canvas } = this.#photo;
    const longest = Math.min(Math.max(seen, SHORTEST_SIDE), Math.max(canvas.width, canvas.height));
    if (longest === this.#longest) return;
    this.#longest = longest;
    const fitted = scaled(canvas, canvas.width, canvas.height, longest);
    Object.assign(this.before, { width: fitted.width, height: fitted.height });
    this.before.getContext("2d").drawImage(fitted, 0, 0);
    this.#picture.setPhoto(this.before);
    this.#schedule();
  }

  /** The graphics were reset, by the driver or by a page that wants too much of them. */
  #restore() {
    this.#picture = new Picture(this.after);
    this.#picture.setPhoto(this.before);
    this.#show(this.#lut);
  }
}
