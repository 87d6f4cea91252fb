// A look to take along: JSON, files for other editors, the picture.

import { ask, read } from "./api.js";
import { plainGrade } from "./grade.js";
import { renderPhoto } from "./rendered.js";

/**
 * Wire the export buttons. `current()` gives {state, photo, picture, tools}; `done(sentence)` is called after each
 * export that succeeded, `fail(error, again)` after one that did not.
 */
export function offerExports(current, done, fail) {
  for (const [id, made] of Object.entries({ copy, cube, xmp, "save-preview": savePreview, "save-full": saveFull })) {
    const button = document.getElementById(id);
    const run = async () => {
      if (button.getAttribute("aria-busy") === "true") return;
      button.setAttribute("aria-busy", "true");
      try {
        done(await made(current()));
      } catch (error) {
        fail(error, run);
      } finally {
        button.removeAttribute("aria-busy");
      }
    };
    button.addEventListener("click", run);
  }
}

async function copy({ state, tools }) {
  await toClipboard(JSON.stringify(plainGrade(tools, state.grade), null, 2));
  return state.strength < 100 ? "Copied, at full strength: the settings know no strength." : "Copied.";
}

async function cube({ state, tools }) {
  const response = await ask("/lut", { body: asked(state, tools) });
  download(await read(response, "blob"), `${slug(state)}.cube`);
  return `Saved.${leftOut(response)}`;
}

async function xmp({ state, tools }) {
  const response = await ask("/xmp", { body: asked(state, tools) });
  download(await read(response, "blob"), `${slug(state)}.xmp`);
  return `Saved: import it in Lightroom as a preset, which comes near the look.${leftOut(response)}`;
}

/** What the file cannot hold, in a sentence. */
function leftOut(response) {
  const steps = response.headers.get("X-Recolor-Spatial");
  return steps ? ` It cannot hold ${steps.replaceAll(", ", " and ")}: set that by hand.` : "";
}

async function savePreview({ state, photo, picture }) {
  download(await picture.save(), `${stem(photo.name)}-${slug(state)}.jpg`);
  return "Saved, without leaving this device.";
}

async function saveFull({ state, photo, tools }) {
  const { grade, strength } = asked(state, tools);
  const rendered = await renderPhoto(photo.file, photo.name, grade, strength);
  const ending = { "image/png": "png", "image/webp": "webp", "image/tiff": "tif" }[rendered.type] ?? "jpg";
  download(rendered, `${stem(photo.name)}-${slug(state)}.${ending}`);
  return "Saved at full size.";
}

function asked({ grade, strength }, tools) {
  return { grade: plainGrade(tools, grade), strength };
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS a page may not write to the clipboard; what is selected can still be copied.
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "hidden" });
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) throw new Error("This browser does not let the page copy. Download a file instead.");
  }
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function slug({ answer }) {
  const plain = (answer?.intent ?? "").toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-");
  return plain.replaceAll(/^-+|-+$/g, "").slice(0, 60) || "look";
}

function stem(name) {
  return name.replace(/\.[^.]*$/, "") || "photo";
}
