// The red button. It waits for nothing: not for the event stream, not for the queue, not for the token.

import { request } from "./api.js";
import { $, say } from "./dom.js";
import { clearNotice, notice } from "./notices.js";

const KEY = "tandem-stop-url";
const AGAIN_MS = 400;
const DOUBT_MS = 2_000;
let pressed = 0;

/** Remember where the stop listener is; it may be needed when nothing else answers. */
export function stopAt(url) {
  if (url) sessionStorage.setItem(KEY, url);
}

/** The stop listener stands beside the server, on the next port. */
function listener() {
  const beside = new URL(location.origin);
  beside.port = Number(location.port || 80) + 1;
  return sessionStorage.getItem(KEY) ?? new URL("/v1/robot/stop", beside).href;
}

/** Stop the arm now: ask both addresses, again and again until one confirms. */
export async function stop() {
  const mine = (pressed += 1);
  const began = performance.now();
  label("Stopping…");
  while (mine === pressed) {
    const stopped = await Promise.race([Promise.any(ask()).catch(() => false), later(AGAIN_MS)]);
    if (stopped) break;
    if (performance.now() - began > DOUBT_MS) doubt();
    await later(AGAIN_MS);
  }
  if (mine !== pressed) return;
  clearNotice("stop");
  label("Stop");
}

function ask() {
  const signal = AbortSignal.timeout(2 * DOUBT_MS);
  return [
    fetch(listener(), { method: "POST", keepalive: true, signal }).then(confirmed),
    request("/v1/robot/stop", { method: "POST", body: { reason: "stop button of the page" }, signal }).then(confirmed),
  ];
}

async function confirmed(response) {
  if (response.ok && (await response.json()).stopped) return true;
  throw new Error("not confirmed");
}

const later = (ms) => new Promise((done) => setTimeout(done, ms, false));

function doubt() {
  notice("stop", "bad", "The stop is not confirmed.", "Use the switch on the robot, or press Ctrl-C twice where “tandem serve” runs. This page keeps trying.");
}

const label = (text) => say($("stop").querySelector("span"), text);

/** Wire the button and the Escape key, which stops wherever the focus is. */
export function wireStop() {
  // On the way down, so that not even the time of a click is lost.
  $("stop").addEventListener("pointerdown", (event) => event.button === 0 && stop());
  $("stop").addEventListener("click", (event) => event.detail === 0 && stop());
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.repeat) return;
    event.preventDefault();
    stop();
  }, { capture: true });
}
