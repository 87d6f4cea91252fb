// The pointwise part of a grade as a table of colours, computed by the service.

import { ask, read } from "./api.js";

// A service lets 600 requests in a minute by default. What moves is slowed down before that.
const BURST = 100;
const PER_SECOND = 7.5;

/** Gives turns so that requests stay within what a service lets in. */
class Pace {
  #left = BURST;
  #time = performance.now();

  async turn() {
    const now = performance.now();
    this.#left = Math.min(BURST, this.#left + ((now - this.#time) / 1000) * PER_SECOND);
    this.#time = now;
    this.#left -= 1;
    if (this.#left < 0) await pause((-this.#left / PER_SECOND) * 1000);
  }
}

const pace = new Pace();

/** The table of a grade in the service's form: {points, colours} as `Picture.setLut` takes it. Throws ApiError. */
export async function fetchLut(grade, points, quietly = false) {
  await pace.turn();
  const response = await ask("/lut", { body: { grade, size: points }, accept: "application/octet-stream", quietly });
  return { points, colours: floats(new Uint16Array(await read(response, "arrayBuffer"))) };
}

/** The numbers that half floats stand for (IEEE 754 binary16), by their bits. */
const HALF = Float32Array.from({ length: 1 << 16 }, (_, bits) => {
  const [sign, exponent, fraction] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
  const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14;
  return sign ? -size : size;
});

function floats(halves) {
  const numbers = new Float32Array(halves.length);
  for (let index = 0; index < halves.length; index++) numbers[index] = HALF[halves[index]];
  return numbers;
}

/** The table that changes nothing. */
export function identity(points) {
  const colours = new Float32Array(4 * points ** 3).fill(1);
  for (let index = 0; index < points ** 3; index++) {
    const place = [index % points, Math.floor(index / points) % points, Math.floor(index / points ** 2)];
    colours.set(place.map((step) => step / (points - 1)), 4 * index);
  }
  return { points, colours };
}

/** The table between two of one size; `share` 0..1 of the way from `one` to `other`. */
export function between(one, other, share) {
  const colours = one.colours.map((colour, index) => colour + (other.colours[index] - colour) * share);
  return { points: one.points, colours };
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
