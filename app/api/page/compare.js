// The line between before and after, moved by mouse, touch and keys.

const STEPS = {
  ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100,
};

/** Compares the two canvases of a frame; `share` percent from the left are before. */
export class Compare {
  #frame;
  #handle;
  #share = 0;
  #shown = false;

  constructor(frame, handle) {
    this.#frame = frame;
    this.#handle = handle;
    frame.addEventListener("pointerdown", (event) => this.#grab(event));
    frame.addEventListener("pointermove", (event) => frame.hasPointerCapture(event.pointerId) && this.#drag(event));
    handle.addEventListener("keydown", (event) => this.#key(event));
    this.#move(0);
  }

  /** There is something to compare: show the line, the first time by wiping over to the middle. */
  show() {
    if (this.#shown) return;
    this.#shown = true;
    this.#frame.dataset.compared = "";
    this.#move(100);
    this.#frame.getBoundingClientRect(); // the wipe starts from what was laid out
    this.#frame.dataset.wiping = "";
    this.#move(50);
  }

  #grab(event) {
    if (!this.#shown || event.button !== 0) return;
    this.#frame.setPointerCapture(event.pointerId);
    this.#handle.focus({ preventScroll: true, focusVisible: false });
    this.#drag(event);
    event.preventDefault();
  }

  #drag(event) {
    const { left, width } = this.#frame.getBoundingClientRect();
    this.#still();
    this.#move(((event.clientX - left) / width) * 100);
  }

  #key(event) {
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    this.#still();
    this.#move(this.#share + step);
    event.preventDefault();
  }

  /** What a hand moves follows at once. */
  #still() {
    delete this.#frame.dataset.wiping;
  }

  #move(share) {
    this.#share = Math.min(100, Math.max(0, share));
    const whole = Math.round(this.#share);
    this.#frame.style.setProperty("--share", `${this.#share}%`);
    this.#handle.setAttribute("aria-valuenow", String(whole));
    this.#handle.setAttribute("aria-valuetext", `${whole}% before, ${100 - whole}% after`);
  }
}
