// The pointwise part of a grade as a table of colours, computed by the service.

import { ask, read } from "./api.js";
import { SPATIAL } from "./picture.js";

/** While a slider moves the small table is asked for, which is ready sooner; at rest the one that exports have. */
export const WHILE_MOVING = 17;
export const AT_REST = 33;

const KEPT = 48;

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

/** The grade without what is drawn in the page; null where nothing is left of it. */
export function pointwise(grade) {
  const { adjust } = grade;
  const rest = adjust && { ...adjust, ...Object.fromEntries(SPATIAL.map((name) => [name, 0])) };
  const left = { ...grade, adjust: rest && Object.values(rest).some(Boolean) ? rest : null };
  return Object.values(left).some(Boolean) ? left : null;
}

/**
 * Follows the newest grade: at most one request is on its way, and when it is back the newest grade is asked for next.
 * `deliver(lut)` is given every table, null for a grade without pointwise part; `fail(error)` says that it stopped, and
 * `fail(null)` that it goes on.
 */
export class LutFeed {
  #wanted = null;
  #shown = "";
  #flying = false;
  #failed = false;
  #kept = new Map();

  constructor(deliver, fail) {
    this.deliver = deliver;
    this.fail = fail;
  }

  /** Whether the newest grade has been delivered. */
  get caughtUp() {
    return this.#wanted?.key === this.#shown;
  }

  want(grade, points) {
    const left = pointwise(grade);
    this.#wanted = { grade: left, points, key: left ? `${points} ${JSON.stringify(left)}` : "" };
    if (!this.#flying) this.#fly();
  }

  async #fly() {
    this.#flying = true;
    try {
      while (this.#wanted.key !== this.#shown) {
        const { key, grade, points } = this.#wanted;
        const lut = key ? (this.#kept.get(key) ?? (await fetchLut(grade, points))) : null;
        this.#keep(key, lut);
        this.#shown = key;
        this.deliver(lut);
        if (this.#failed) this.fail(null);
        this.#failed = false;
      }
    } catch (error) {
      this.#failed = true;
      this.fail(error);
      if (error.kind === "too_many_requests") setTimeout(() => this.#flying || this.#fly(), error.seconds * 1000);
    } finally {
      this.#flying = false;
    }
  }

  #keep(key, lut) {
    this.#kept.delete(key);
    this.#kept.set(key, lut);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
