// Photos: opened in the browser, upright, and small enough to be drawn while a slider moves.

import { ask, read } from "./api.js";

export const LONGEST_SIDE = 1280;

const SAMPLES = [
  { name: "pagoda", about: "A pagoda above a lake (photo by danielbuechele, CC BY 2.0)" },
  { name: "raccoon", about: "A raccoon among palm leaves" },
  { name: "coffee", about: "A cup of coffee on a wooden table" },
  { name: "astronaut", about: "An astronaut in an orange suit" },
  { name: "rocket", about: "A rocket at dusk" },
];

/** A photo that the browser cannot show; the message says what to do. */
export class PhotoError extends Error {}

/**
 * Open a file. Gives {file, name, canvas}: the file as it is, and its picture on a canvas, in sRGB, upright as EXIF
 * says, with a longer side of at most 1280 pixels. Throws PhotoError.
 */
export async function openPhoto(file, name = file.name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new PhotoError(sentence(file));
  }
  const canvas = scaled(bitmap, bitmap.width, bitmap.height, LONGEST_SIDE);
  bitmap.close();
  return { file, name, canvas };
}

/** A copy of a picture whose longer side is at most `longest` pixels. */
export function scaled(picture, width, height, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/**
 * The ways to choose a photo: samples, a file, the camera, dropping and pasting. `open(photo)` is given what was
 * opened, `fail(error)` what could not be. Gives a function that opens the first sample.
 */
export function offerPhotos(open, fail) {
  let latest = 0;
  const choose = async (load, sample) => {
    const mine = ++latest;
    try {
      const photo = await load();
      if (mine !== latest) return;
      press(sample);
      open(photo);
    } catch (error) {
      if (mine === latest) fail(error);
    }
  };
  const press = (sample) => {
    for (const [index, button] of buttons.entries()) {
      button.setAttribute("aria-pressed", String(SAMPLES[index] === sample));
    }
  };
  const own = (file) => file && choose(() => openPhoto(file), null);
  const buttons = SAMPLES.map((sample) => sampleButton(sample, () => choose(() => openSample(sample), sample)));
  document.getElementById("samples").append(...buttons);
  for (const id of ["file", "camera"]) {
    document.getElementById(id).addEventListener("change", ({ target }) => {
      own(target.files[0]);
      target.value = ""; // the same file may be chosen again
    });
  }
  acceptDropped(own);
  addEventListener("paste", ({ clipboardData }) => own(clipboardData?.files[0]));
  return () => buttons[0].click();
}

function sampleButton({ name, about }, choose) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sample";
  button.title = about;
  button.setAttribute("aria-pressed", "false");
  const image = document.createElement("img");
  Object.assign(image, { src: `/page/samples/${name}-small.jpg`, alt: about, width: 48, height: 48 });
  button.append(image);
  button.addEventListener("click", choose);
  return button;
}

async function openSample({ name }) {
  const response = await ask(`/page/samples/${name}.jpg`);
  return openPhoto(await read(response, "blob"), `${name}.jpg`);
}

function acceptDropped(own) {
  const cover = document.getElementById("drop");
  const hasFile = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0; // of enters without their leave: each element that is passed has one of both
  const show = (change) => {
    depth = Math.max(0, depth + change);
    cover.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => hasFile(event) && show(+1));
  addEventListener("dragleave", (event) => hasFile(event) && show(-1));
  addEventListener("dragover", (event) => hasFile(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    show(-depth);
    own(event.dataTransfer.files[0]);
  });
}

function sentence(file) {
  if (/hei[cf]/i.test(`${file.type} ${file.name}`)) {
    return "This browser cannot show HEIC photos. Save it as JPEG and choose that, or render it by POST /render.";
  }
  if (file.type && !file.type.startsWith("image/")) {
    return `“${file.name}” is no photo. Choose a JPEG, PNG or WebP file.`;
  }
  return `“${file.name}” cannot be read as a photo: it may be damaged. Choose a JPEG, PNG or WebP file.`;
}
