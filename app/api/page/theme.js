// Dark or light, before anything is drawn: a plain script, since modules wait for the page.

(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => root.dataset.theme ?? (system.matches ? "dark" : "light");

  function remembered() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is forbidden: the system's choice holds
    }
  }

  function remember(theme) {
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // It holds until the page is closed.
    }
  }

  const theme = remembered();
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => {
      const other = chosen() === "dark" ? "light" : "dark";
      button.setAttribute("aria-label", `Use the ${other} theme`);
      button.title = `Use the ${other} theme`;
    };
    button.addEventListener("click", () => {
      root.dataset.theme = chosen() === "dark" ? "light" : "dark";
      remember(root.dataset.theme);
      label();
    });
    system.addEventListener("change", label);
    label();
  });
})();
