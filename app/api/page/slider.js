// One number as a slider: its name, its value, which is also the button that resets it, and the range.

/**
 * A slider for a parameter as `readTools` gives it. `input(value)` is called while it moves, `change(value)` when it
 * rests. Gives {element, set(value)}.
 */
export function slider(id, { title, about, low, high, neutral }, { input, change }) {
  const range = make("input", { type: "range", id, min: low, max: high, step: 1 });
  const label = make("label", { htmlFor: id, textContent: title, title: about });
  const reset = make("button", { type: "button", className: "value" });
  const described = make("span", { id: `${id}-about`, className: "hidden", textContent: about });
  range.setAttribute("aria-describedby", described.id);
  const element = make("div", { className: "parameter" });
  element.append(label, reset, range, described);

  const set = (value) => {
    range.value = value;
    const shown = signed(value, low);
    range.setAttribute("aria-valuetext", shown);
    reset.textContent = shown;
    reset.disabled = value === neutral;
    reset.setAttribute("aria-label", `${title} ${shown}: reset to ${neutral}`);
    reset.title = `Reset to ${neutral}`;
    const place = (number) => (number - low) / (high - low);
    const [from, to] = [place(neutral), place(value)].sort((one, other) => one - other);
    range.style.setProperty("--from", from);
    range.style.setProperty("--to", to);
  };
  const settle = (value) => {
    set(value);
    change(value);
  };
  range.addEventListener("input", () => {
    set(range.valueAsNumber);
    input(range.valueAsNumber);
  });
  range.addEventListener("change", () => settle(range.valueAsNumber));
  range.addEventListener("dblclick", () => settle(neutral));
  reset.addEventListener("click", () => {
    settle(neutral);
    range.focus();
  });
  set(neutral);
  return { element, set };
}

/** An element with these properties. */
export function make(kind, properties = {}) {
  return Object.assign(document.createElement(kind), properties);
}

/** A number with its sign, where it may be negative. */
export function signed(value, low) {
  if (low >= 0 || value === 0) return String(value);
  return value > 0 ? `+${value}` : `\u2212${-value}`;
}
