// The recorded pictures of a run at a moment: one camera large, the others small.

import { request } from "./api.js";
import { shapeTo } from "./cameras.js";
import { h, say } from "./dom.js";
import { latest } from "./timeline.js";
import { capital } from "./words.js";

const KEPT = 300, AHEAD = 8;
const ORDER = ["front", "overhead", "table", "wrist"];

/** The pictures; `load` takes a run's name and timeline, `at` a time. */
export function framesView() {
  const large = slot();
  const strip = h("div", { class: "strip", role: "group", "aria-label": "Cameras" });
  const empty = h("p", { class: "empty", text: "No pictures were recorded." });
  const element = h("section", { class: "card cameras", "aria-label": "Recorded pictures" }, large.element, strip, empty);
  let frames = {}, small = new Map(), chosen = null, time = 0, store = blobs("");

  const choose = (name) => {
    chosen = name;
    for (const [other, { button }] of small) button.setAttribute("aria-pressed", String(other === name));
    at(time);
  };
  const at = (t) => {
    time = t;
    if (!chosen) return;
    large.show(chosen, latest(frames[chosen], t) ?? frames[chosen][0], store);
    for (const [name, { view }] of small) view.show(name, latest(frames[name], t) ?? frames[name][0], store);
    store.ahead(frames[chosen].filter((frame) => frame.t > t).slice(0, AHEAD));
  };
  const load = (run, timeline) => {
    store.close();
    store = blobs(run);
    frames = Object.fromEntries(Object.entries(timeline.frames).filter(([, list]) => list.length));
    const names = Object.keys(frames).sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
    small = new Map(names.map((name) => {
      const view = slot();
      const button = h("button", { type: "button", "aria-label": `Show the ${name} camera`, onclick: () => choose(name) }, view.element);
      return [name, { button, view }];
    }));
    strip.replaceChildren(...[...small.values()].map(({ button }) => button));
    large.element.hidden = names.length === 0;
    element.classList.toggle("alone", names.length < 2);
    empty.hidden = names.length > 0;
    chosen = null;
    // The camera with most to tell, the nicest of them.
    if (names.length) choose(names.find((name) => frames[name].length > 1) ?? names[0]);
  };
  return { element, load, at, close: () => store.close() };
}

function slot() {
  const image = h("img", { alt: "", hidden: true }), caption = h("figcaption");
  const element = h("figure", { class: "view" }, image, caption);
  let wanted = null;
  shapeTo(image, element);
  const show = async (camera, frame, store) => {
    say(caption, `${capital(camera)} · ${frame.t.toFixed(1)} s`);
    if (wanted === frame.image) return;
    wanted = frame.image;
    try {
      const url = await store.url(frame.image);
      if (wanted !== frame.image || !url) return;
      image.src = url;
      image.alt = `${capital(camera)} camera at ${frame.t.toFixed(1)} seconds`;
      image.hidden = false;
    } catch {
      if (wanted === frame.image) say(caption, `${capital(camera)} · the picture is missing`);
    }
  };
  return { element, show };
}

/** Pictures by hash, fetched once, the oldest forgotten. */
function blobs(run) {
  const kept = new Map();
  const url = (sha) => {
    if (!kept.has(sha)) {
      kept.set(sha, request(`/v1/runs/${encodeURIComponent(run)}/blobs/${sha}`).then((r) => r.blob()).then((blob) => URL.createObjectURL(blob)));
      if (kept.size > KEPT) forget(kept.keys().next().value);
    }
    return kept.get(sha);
  };
  const forget = (sha) => {
    kept.get(sha).then((old) => URL.revokeObjectURL(old), () => {});
    kept.delete(sha);
  };
  return {
    url,
    ahead: (frames) => frames.forEach((frame) => url(frame.image).catch(() => {})),
    close: () => [...kept.keys()].forEach(forget),
  };
}
