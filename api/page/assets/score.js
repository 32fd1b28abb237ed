// The monitor's scores over time, each as a share of its threshold; one of them in front.

import { h, s } from "./dom.js";
import { duration, scoreValue, scoreWords } from "./words.js";

const HEIGHT = 120, TOP = 1.3, FLOOR = 18, WINDOW_S = 60;
const FIRST = ["ood", "tracking_m", "aim_m"]; // in front as long as nobody chooses

/** The chart. `update(work, {length, cursor})`: without a length it shows the last minute. */
export function scoreView({ onSeek } = {}) {
  const now = h("p", { class: "reading" });
  const legend = h("div", { class: "legend", role: "group", "aria-label": "Which score is in front" });
  const chart = s("svg", { class: "chart", role: "img", height: HEIGHT });
  const element = h("section", { class: "scores", "aria-label": "Monitor" }, h("header", {}, h("h2", { class: "label", text: "Monitor" }), now), chart, legend);
  let chosen = null, drawn = null;

  const update = (work, view = {}) => {
    drawn = [work, view];
    const names = [...work.scores].filter(([name, points]) => !name.startsWith("guard") && points.some((p) => p[2] > 0 && Number.isFinite(p[2]))).map(([name]) => name);
    element.hidden = names.length === 0;
    if (element.hidden) return;
    const front = [chosen, ...FIRST, names[0]].find((name) => names.includes(name));
    draw(chart, work, names, front, view);
    legendOf(names, front);
    const point = latest(work.scores.get(front), view.cursor ?? Infinity);
    now.replaceChildren(...reading(front, point));
    chart.setAttribute("aria-label", `${scoreWords(front)} over time; ${now.textContent}`);
  };

  const legendOf = (names, front) => {
    const key = `${names.join()} ${front}`;
    if (legend.dataset.key === key) return;
    legend.dataset.key = key;
    const held = legend.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    legend.replaceChildren(...names.map((name) => h("button", {
      type: "button", class: "chip", text: scoreWords(name), "aria-pressed": String(name === front), data: { name },
      onclick: () => { chosen = name; update(...drawn); },
    })));
    if (held) legend.querySelector(`[data-name="${CSS.escape(held)}"]`)?.focus();
  };

  new ResizeObserver(() => drawn && update(...drawn)).observe(element);
  if (onSeek) chart.addEventListener("pointerdown", (event) => {
    const box = chart.getBoundingClientRect();
    onSeek((drawn[1].length * (event.clientX - box.left)) / box.width);
  });
  return { element, update };
}

function draw(chart, work, names, front, { length, cursor }) {
  const width = chart.clientWidth || 1;
  const to = length ?? Math.max(WINDOW_S, work.t), from = length === undefined ? to - WINDOW_S : 0;
  const x = (t) => (width * (t - from)) / (to - from);
  const y = (share) => (HEIGHT - FLOOR) * (1 - Math.min(TOP, Math.max(0, share)) / TOP);
  const parts = [];
  for (const name of [...names.filter((n) => n !== front), front]) {
    const points = thin(work.scores.get(name).filter((p) => p[2] > 0 && p[0] >= from - 2), width);
    const path = points.map(([t, score, bound], k) => `${k ? "L" : "M"}${x(t).toFixed(1)} ${y(score / bound).toFixed(1)}`).join("");
    if (name === front && points.length > 1) {
      parts.push(s("path", { class: "area", d: `${path}L${x(points.at(-1)[0]).toFixed(1)} ${y(0)}L${x(points[0][0]).toFixed(1)} ${y(0)}Z` }));
    }
    parts.push(s("path", { class: name === front ? "front" : "behind", d: path }));
    if (name === front) parts.push(...points.filter((p) => p[1] > p[2]).map((p) => s("circle", { class: "over", cx: x(p[0]), cy: y(p[1] / p[2]), r: 3 })));
  }
  parts.push(s("line", { class: "threshold", x1: 0, x2: width, y1: y(1), y2: y(1) }), s("text", { class: "threshold", x: 0, y: y(1) - 5, text: "threshold" }));
  parts.push(s("line", { class: "axis", x1: 0, x2: width, y1: y(0), y2: y(0) }));
  for (const t of ticks(from, to)) parts.push(s("text", { x: x(t), y: HEIGHT - 3, "text-anchor": anchor(x(t), width), text: duration(t).replace(".0", "") }));
  if (cursor !== undefined) parts.push(s("line", { class: "cursor", x1: x(cursor), x2: x(cursor), y1: 0, y2: y(0) }));
  chart.replaceChildren(...parts);
}

const anchor = (at, width) => (at < 20 ? "start" : at > width - 26 ? "end" : "middle");

/** At most two points a pixel; of several the highest stays, for it is what matters. */
function thin(points, width) {
  const every = Math.ceil(points.length / (2 * width));
  if (every < 2) return points;
  const kept = [];
  for (let k = 0; k < points.length; k += every) {
    kept.push(points.slice(k, k + every).reduce((a, b) => (b[1] / b[2] > a[1] / a[2] ? b : a)));
  }
  return kept;
}

function ticks(from, to) {
  const step = [10, 20, 30, 60, 120, 300, 600].find((size) => (to - from) / size <= 6) ?? 1200;
  const first = Math.max(0, Math.ceil(from / step) * step);
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, k) => first + k * step);
}

const latest = (points, t) => points.findLast((p) => p[0] <= t + 1e-6);

function reading(name, point) {
  if (!point) return ["no score yet"];
  const [, score, bound] = point;
  return [`${scoreWords(name)} `, h("b", { text: scoreValue(name, score), data: { tone: score > bound ? "bad" : "ok" } }), ` of ${scoreValue(name, bound)}`];
}
