// The picture where the browser has no WebGL2: rendered by the service, whenever the tools rest.

import { ask, read } from "./api.js";
import { plainGrade } from "./grade.js";

export class RenderedPicture {
  #photo = null;
  #wanted = null;
  #flying = false;
  #failed = false;

  /** `fail(error)` is told why the picture does not follow, and null when it does again. */
  constructor(before, after, tools, fail) {
    Object.assign(this, { before, after, tools, fail, missing: [] });
  }

  setPhoto(photo) {
    this.#photo = photo;
    for (const canvas of [this.before, this.after]) draw(canvas, photo.canvas);
  }

  /** Show a grade, unless something of it still moves. */
  follow(grade, strength, moves = null) {
    this.after.dataset.atRest = "false";
    if (moves || !this.#photo) return;
    this.#wanted = { photo: this.#photo, grade: plainGrade(this.tools, grade), strength };
    if (!this.#flying) this.#fly();
  }

  async save() {
    return new Promise((resolve) => this.after.toBlob(resolve, "image/jpeg", 0.95));
  }

  async #fly() {
    this.#flying = true;
    try {
      while (this.#wanted) {
        const { photo, grade, strength } = this.#wanted;
        this.#wanted = null;
        const rendered = await render(photo, grade, strength);
        if (photo === this.#photo) draw(this.after, rendered);
        this.after.dataset.atRest = String(!this.#wanted);
        this.after.dispatchEvent(new Event("drawn"));
        if (this.#failed) this.fail(null);
        this.#failed = false;
      }
    } catch (error) {
      this.#failed = true;
      this.fail(error);
    } finally {
      this.#flying = false;
    }
  }
}

/** The photo under a grade; itself under one that changes nothing. */
async function render({ canvas, name }, grade, strength) {
  if (!strength || !Object.values(grade).some(Boolean)) return canvas;
  const small = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  return createImageBitmap(await renderPhoto(small, name, grade, strength));
}

/** The photo's file as the service renders it under a grade, as a blob. Throws ApiError. */
export async function renderPhoto(file, name, grade, strength) {
  const form = new FormData();
  form.append("image", file, name);
  form.append("grade", JSON.stringify(grade));
  form.append("strength", String(strength));
  return read(await ask("/render", { body: form }), "blob");
}

function draw(canvas, picture) {
  Object.assign(canvas, { width: picture.width, height: picture.height });
  canvas.getContext("2d").drawImage(picture, 0, 0);
}
