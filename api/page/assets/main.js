// Begins the page: token, stop button, stream, and which of the pages is shown.

import { adoptToken, hasToken } from "./api.js";
import { $ } from "./dom.js";
import { historyPage } from "./history.js";
import { livePage } from "./live.js";
import { drawRobot } from "./robot.js";
import { runPage } from "./run.js";
import { begin, watch } from "./session.js";
import { signInPage } from "./signin.js";
import { wireStop } from "./stop.js";

const pages = new Map(); // made when they are first wanted
let shown = null;

function pageOf(hash) {
  const [, kind, name] = hash.replace(/^#/, "").split("/");
  if (kind === "runs" && name) return { key: "run", make: runPage, nav: "runs", name: decodeURIComponent(name) };
  if (kind === "runs") return { key: "runs", make: historyPage, nav: "runs" };
  return { key: "live", make: livePage, nav: "live" };
}

function open() {
  if (location.hash.includes("token=")) adoptToken();
  const { key, make, nav, name } = pageOf(location.hash);
  if (!pages.has(key)) pages.set(key, make());
  const moved = shown !== null;
  shown?.hide();
  shown = pages.get(key);
  $("main").replaceChildren(shown.element);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === nav) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = { live: "Tandem", runs: "Runs · Tandem", run: `${name} · Tandem` }[key];
  if (moved) $("main").focus({ preventScroll: true });
  scrollTo(0, 0);
  shown.show(name);
}

function signIn(error) {
  shown?.hide();
  shown = null;
  $("main").replaceChildren(signInPage(error, () => location.reload()));
}

wireStop();
adoptToken();
document.addEventListener("tandem:token", (event) => signIn(event.detail));
if (hasToken()) {
  addEventListener("hashchange", open);
  open();
  watch(drawRobot);
  begin();
} else signIn(null);
