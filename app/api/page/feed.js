// The LUTs of a grade that changes: the picture follows the newest one.
//
// At rest a grade has its exact LUT, of the size that exports have. While one of its values moves a smaller LUT will
// do, which is ready sooner. Once it is seen to move, LUTs are asked for at every tenth of its values only, and mixed
// for what lies between: so the picture follows without waiting, over a slow network too, by few requests.

import { valueAt, withValue } from "./grade.js";
import { between, fetchLut, identity } from "./lut.js";
import { SPATIAL } from "./picture.js";

const AT_REST = 33;
const WHILE_MOVING = 17;
const STEP = 10;
const KEPT = 48;

const NEUTRAL = identity(WHILE_MOVING);

/** The grade without what is drawn in the page; null where nothing is left of it. */
function pointwise(grade) {
  const { adjust } = grade;
  const rest = adjust && { ...adjust, ...Object.fromEntries(SPATIAL.map((name) => [name, 0])) };
  const left = { ...grade, adjust: rest && Object.values(rest).some(Boolean) ? rest : null };
  return Object.values(left).some(Boolean) ? left : null;
}

/** A grade's LUT as something to ask for: `key` names it, and is empty for the grade that changes nothing. */
function request(grade, points) {
  const left = pointwise(grade);
  return { grade: left, points, key: left ? `${points} ${JSON.stringify(left)}` : "" };
}

/**
 * At most one request is on its way; when it is back, the newest grade comes next. `deliver(lut)` is given every LUT
 * that is to be shown, null for a grade that changes nothing; `fail(error)` says that the feed stopped, and
 * `fail(null)` that it goes on. `plain(grade)` is the grade as the service takes it.
 */
export class LutFeed {
  #wanted = null;
  #shown = "";
  #flying = false;
  #moving = false; // it has been wanted at more than one value since it rested
  #failed = false;
  #kept = new Map();

  constructor(plain, deliver, fail) {
    Object.assign(this, { plain, deliver, fail });
  }

  /** Whether the newest grade's own LUT has been delivered. */
  get caughtUp() {
    return this.#wanted?.key === this.#shown;
  }

  /** Show this grade. `moves` is which value is moving, {tool, path, low, high}; null where the grade rests. */
  want(grade, moves = null) {
    const before = this.#wanted;
    this.#wanted = request(this.plain(grade), AT_REST);
    if (moves && !this.#has(this.#wanted)) {
      this.#wanted = { ...request(this.plain(grade), WHILE_MOVING), ...this.#neighbours(grade, moves) };
    }
    this.#moving = Boolean(this.#wanted.steps && before?.steps) && before.key !== this.#wanted.key;
    this.#show();
    if (!this.#flying) this.#fly();
  }

  /** The LUTs at the two steps around the moving value, and its place between them. */
  #neighbours(grade, { tool, path, low, high }) {
    const value = valueAt(grade[tool], path);
    const below = Math.max(low, Math.min(low + Math.floor((value - low) / STEP) * STEP, high - STEP));
    const above = Math.min(high, below + STEP);
    const at = (step) => request(this.plain(withValue(grade, tool, path, step)), WHILE_MOVING);
    return { steps: [at(below), at(above)], share: (value - below) / (above - below) };
  }

  async #fly() {
    this.#flying = true;
    try {
      for (let next = this.#missing(); next; next = this.#missing()) {
        this.#keep(next, await fetchLut(next.grade, next.points));
        if (this.#failed) this.fail(null);
        this.#failed = false;
        if (!this.#show() && this.#wanted.steps) this.#deliver(next); // near enough while it moves
      }
    } catch (error) {
      this.#failed = true;
      this.fail(error);
      if (error.kind === "too_many_requests") setTimeout(() => this.#flying || this.#fly(), error.seconds * 1000);
    } finally {
      this.#flying = false;
    }
  }

  /** What to ask for next; nothing, where the newest grade can be shown. */
  #missing() {
    const { key, steps, share } = this.#wanted;
    if (key === this.#shown || this.#has(this.#wanted) || steps?.every((step) => this.#has(step))) return null;
    if (!this.#moving) return this.#wanted;
    const [near, far] = share < 0.5 ? steps : [steps[1], steps[0]];
    return this.#has(near) ? far : near;
  }

  /** Show the newest grade, if its LUT is at hand or can be mixed. Whether it could. */
  #show() {
    const { key, steps, share } = this.#wanted;
    if (key === this.#shown) return true;
    if (this.#has(this.#wanted)) {
      this.#deliver(this.#wanted);
      return true;
    }
    if (!steps?.every((step) => this.#has(step))) return false;
    this.#shown = key;
    this.deliver(between(...steps.map((step) => this.#kept.get(step.key) ?? NEUTRAL), share));
    return true;
  }

  #deliver(wanted) {
    this.#shown = wanted.key;
    this.deliver(wanted.key ? this.#kept.get(wanted.key) : null);
    if (wanted.key) this.#keep(wanted, this.#kept.get(wanted.key)); // it was used last
  }

  #has({ key }) {
    return !key || this.#kept.has(key);
  }

  #keep({ key }, lut) {
    this.#kept.delete(key);
    this.#kept.set(key, lut);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
  }
}
