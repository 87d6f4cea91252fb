// What was, for undo and redo.

const LONGEST = 200;
const ONE_CHANGE_MS = 800;

export class History {
  #past = [];
  #future = [];
  #now;
  #last = { what: null, time: 0 };

  constructor(first) {
    this.#now = first;
  }

  get now() {
    return this.#now;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** A new state. Changes of the same thing that follow each other closely, as by held keys, are one to undo. */
  record(state, what = null) {
    const time = performance.now();
    const goesOn = what !== null && what === this.#last.what && time - this.#last.time < ONE_CHANGE_MS;
    if (!goesOn) this.#past.push(this.#now);
    if (this.#past.length > LONGEST) this.#past.shift();
    this.#future = [];
    this.#now = state;
    this.#last = { what, time };
  }

  /** The state before this one; this one where there is none. */
  undo() {
    return this.#move(this.#past, this.#future);
  }

  /** The state that was undone last; this one where there is none. */
  redo() {
    return this.#move(this.#future, this.#past);
  }

  #move(from, to) {
    if (from.length) {
      to.push(this.#now);
      this.#now = from.pop();
      this.#last.what = null;
    }
    return this.#now;
  }
}
