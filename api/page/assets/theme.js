"use strict";
// Light, dark or as the system; runs before the first paint so that nothing flashes.
const themes = ["system", "light", "dark"];
function applyTheme(theme) {
  document.documentElement.dataset.theme = theme;
}
applyTheme(localStorage.getItem("tandem-theme") ?? "system");
addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  const name = () => {
    const theme = document.documentElement.dataset.theme;
    button.title = `Colours: ${theme === "system" ? "as the system" : theme}`;
    button.setAttribute("aria-label", button.title);
  };
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
    localStorage.setItem("tandem-theme", next);
    applyTheme(next);
    name();
  });
  name();
});
