// The time of a run under one's thumb: a slider, a play button, and a strip that shows where things happened.

import { h, icon, s } from "./dom.js";
import { duration } from "./words.js";

const SPEEDS = [1, 2, 4];
const STEP_S = 0.5;

/** The bar; `onTime(t)` is called for every new time. */
export function scrubber({ onTime }) {
  const play = h("button", { type: "button", class: "square", "aria-label": "Play" }, icon("play"));
  const slider = h("input", { type: "range", id: "time", min: 0, step: "any", value: 0, "aria-label": "Time" });
  const strip = s("svg", { class: "marks", "aria-hidden": "true", preserveAspectRatio: "none", viewBox: "0 0 1000 10" });
  const clock = h("output", { for: "time" }), about = h("span", { class: "about" });
  const speed = h("button", { type: "button", class: "quiet", "aria-label": "Speed: 1 times" , text: "1×" });
  const element = h("div", { class: "scrubber", role: "group", "aria-label": "Time of the run" }, play, h("div", { class: "track" }, strip, slider), clock, speed, about);
  let length = 1, playing = null, rate = 1, last = 0;

  const set = (t, { told = true } = {}) => {
    const now = Math.min(length, Math.max(0, t));
    slider.value = now;
    clock.textContent = `${now.toFixed(1)} / ${duration(length)}`;
    slider.setAttribute("aria-valuetext", `${now.toFixed(1)} seconds`);
    if (told) onTime(now);
  };
  const pause = () => {
    cancelAnimationFrame(playing);
    playing = null;
    play.replaceChildren(icon("play"));
    play.setAttribute("aria-label", "Play");
  };
  const frame = (at) => {
    const t = exact + (rate * (at - last)) / 1000;
    last = at;
    exact = t;
    set(t);
    if (t >= length) pause();
    else playing = requestAnimationFrame(frame);
  };
  let exact = 0;
  const start = () => {
    exact = Number(slider.value) >= length - 0.05 ? 0 : Number(slider.value);
    last = performance.now();
    play.replaceChildren(icon("pause"));
    play.setAttribute("aria-label", "Pause");
    playing = requestAnimationFrame(frame);
  };
  const toggle = () => (playing === null ? start() : pause());
  play.addEventListener("click", toggle);
  slider.addEventListener("input", () => {
    exact = Number(slider.value);
    set(exact);
  });
  slider.addEventListener("keydown", (event) => {
    const by = { ArrowRight: STEP_S, ArrowLeft: -STEP_S, ArrowUp: STEP_S, ArrowDown: -STEP_S }[event.key];
    if (event.key === " ") toggle();
    else if (by) seek(Number(slider.value) + by);
    else return;
    event.preventDefault();
  });
  speed.addEventListener("click", () => {
    rate = SPEEDS[(SPEEDS.indexOf(rate) + 1) % SPEEDS.length];
    speed.textContent = `${rate}×`;
    speed.setAttribute("aria-label", `Speed: ${rate} times`);
  });

  const seek = (t) => {
    exact = t;
    set(t);
  };
  return {
    element,
    seek,
    pause,
    about: (text) => { about.textContent = text; },
    load(timeline) {
      pause();
      length = Math.max(0.05, timeline.length);
      slider.max = length;
      strip.replaceChildren(...marks(timeline, length));
      seek(firstFrame(timeline));
    },
  };
}

function marks({ nodes, over }, length) {
  const x = (t) => (1000 * Math.min(t, length)) / length;
  return [
    ...nodes.map((tried) => s("rect", {
      x: x(tried.start), width: Math.max(1.5, x(tried.end ?? length) - x(tried.start) - 1.5), y: 3, height: 4, rx: 1,
      data: { status: tried.end === null ? "running" : tried.succeeded ? "done" : "failed" },
    })),
    ...over.map(({ t }) => s("rect", { x: x(t) - 1, width: 2, y: 0, height: 10, data: { status: "over" } })),
  ];
}

/** Where there is something to see. */
function firstFrame({ frames }) {
  const firsts = Object.values(frames).filter((list) => list.length).map((list) => list[0].t);
  return firsts.length ? Math.min(...firsts) : 0;
}
