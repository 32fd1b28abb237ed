// Live cameras: one large, the others small beside it. Pictures are fetched, since <img> cannot send the token.

import { picture } from "./api.js";
import { h, say } from "./dom.js";
import { session } from "./session.js";
import { capital } from "./words.js";

// What is watched is rendered, so a robot that stands still is looked at seldom.
const MOVING_MS = 66, STILL_MS = 2_000, SMALL_MOVING_MS = 1_000, SMALL_STILL_MS = 6_000, FIRST_MS = 100, FAILED_MS = 1_500;

/** The cameras; they run only while the view is shown and the tab is seen. */
export function cameras() {
  const large = slot("");
  const strip = h("div", { class: "strip", role: "group", "aria-label": "Cameras" });
  const element = h("section", { class: "card cameras", "aria-label": "Cameras" }, large.element, strip);
  const small = new Map();
  let names = "", chosen = null, running = null;

  const choose = (name) => {
    chosen = name;
    large.reset(name);
    for (const [other, { button }] of small) button.setAttribute("aria-pressed", String(other === name));
  };

  const update = ({ robot }) => {
    const known = robot?.cameras ?? [];
    if (known.join() === names) return;
    names = known.join();
    small.clear();
    for (const name of known) {
      const view = slot(name);
      const button = h("button", { type: "button", "aria-label": `Show the ${name} camera`, onclick: () => choose(name) }, view.element);
      small.set(name, { button, view });
    }
    strip.replaceChildren(...[...small.values()].map(({ button }) => button));
    choose(known.includes(chosen) ? chosen : known.includes("front") ? "front" : known[0]);
  };

  const turnLarge = async (signal) => {
    if (!chosen) return FIRST_MS;
    await large.take(chosen, signal);
    return moving() ? MOVING_MS : STILL_MS;
  };
  const moving = () => session.robot?.state === "moving";
  let turn = 0;
  const turnSmall = async (signal) => {
    const others = [...small.keys()];
    if (!others.length) return FIRST_MS;
    const name = others[turn % others.length];
    await small.get(name).view.take(name, signal, { wait: false });
    turn += 1;
    return turn < others.length ? FIRST_MS : moving() ? SMALL_MOVING_MS : SMALL_STILL_MS;
  };

  const start = () => {
    if (running || document.hidden) return;
    running = new AbortController();
    loop(turnLarge, running.signal, large);
    loop(turnSmall, running.signal);
  };
  const stop = () => {
    running?.abort();
    running = null;
  };
  let wanted = false;
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : wanted && start()));
  return { element, update, start: () => { wanted = true; start(); }, stop: () => { wanted = false; stop(); } };
}

async function loop(turn, signal, view = null) {
  while (!signal.aborted) {
    let wait = FAILED_MS;
    try {
      wait = await turn(signal);
    } catch (error) {
      if (signal.aborted) return;
      view?.fail(error);
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

/** Let a picture's place have its shape, within what looks well. */
export function shapeTo(image, element) {
  image.addEventListener("load", () => {
    const shape = image.naturalWidth / image.naturalHeight;
    element.style.aspectRatio = String(Math.min(1.5, Math.max(4 / 3, shape)));
  });
}

function slot(name) {
  const image = h("img", { alt: "", hidden: true });
  const caption = h("figcaption", { text: capital(name) });
  const element = h("figure", { class: "view" }, image, caption);
  let frame = null, url = null, shown = name;
  shapeTo(image, element);

  const put = (taken) => {
    const old = url;
    ({ url, frame } = taken);
    image.src = url;
    image.hidden = false;
    delete element.dataset.failed;
    say(caption, capital(shown));
    if (old) URL.revokeObjectURL(old);
  };
  return {
    element,
    reset(next) {
      shown = next;
      frame = null;
      image.alt = `${capital(next)} camera, live`;
      say(caption, capital(next));
    },
    async take(camera, signal, { wait = true } = {}) {
      const taken = await picture(`/v1/cameras/${camera}/frame${wait && frame ? `?after=${frame}` : ""}`, { signal });
      if (taken && camera === shown) put(taken);
      else if (taken) URL.revokeObjectURL(taken.url);
    },
    fail() {
      element.dataset.failed = "";
      say(caption, `${capital(shown)} · no picture, trying again`);
    },
  };
}
