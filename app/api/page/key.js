// The key of a service that asks for one: typed in once, kept until the tab is closed.

const dialog = document.getElementById("key-dialog");
const field = document.getElementById("key");
const why = document.getElementById("key-why");
const change = document.getElementById("change-key");
const FIRST = why.textContent;
const STORED = "key";

let key = remembered();
let asking = null;
change.hidden = !key;
// No submit button: Enter would press the first of them.
document.getElementById("no-key").addEventListener("click", () => dialog.close("cancel"));
change.addEventListener("click", () => askForKey(false));

export function storedKey() {
  return key;
}

/** Ask the user for a key. Whether one was given; `wrong` says that the last one was refused. */
export function askForKey(wrong) {
  asking ??= show(wrong).finally(() => (asking = null));
  return asking;
}

function show(wrong) {
  why.textContent = wrong ? "The service does not know this key. Check it, and type it once more." : FIRST;
  why.classList.toggle("wrong", wrong);
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => {
      const given = dialog.returnValue === "use" && field.value.trim();
      if (given) remember(given);
      resolve(Boolean(given));
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}

function remember(given) {
  key = given;
  change.hidden = false;
  try {
    sessionStorage.setItem(STORED, given);
  } catch {
    // Storage is forbidden: it holds until the page is left.
  }
}

function remembered() {
  try {
    return sessionStorage.getItem(STORED);
  } catch {
    return null;
  }
}
