// The skill graph: a box per step, coloured by its state, lines for what must wait for what.

import { h, icon, s, say } from "./dom.js";
import { layered } from "./layers.js";
import { nodeWords, stepWords } from "./words.js";

const ROW = 56, BOX = 46, GAP = 28, NARROW = 124, WIDE = 288, PAD = 3;

/** The picture; `update(work, {ended})` draws the plan of a command's work and the states of its nodes. */
export function graphView() {
  const lines = s("svg", { class: "lines", "aria-hidden": "true" });
  const list = h("ol", { class: "nodes" });
  const sheet = h("div", { class: "sheet" }, lines, list);
  const element = h("div", { class: "graph", role: "region", "aria-label": "Skill graph", tabindex: 0 }, sheet);
  let plan = null, width = 0, boxes = new Map(), work = null, over = false;

  const build = () => {
    const shape = layered(plan.nodes.map((node) => node.id), plan.edges);
    const room = (element.clientWidth - 2 * PAD - GAP * (shape.layers - 1)) / shape.layers;
    const box = Math.max(NARROW, Math.min(WIDE, room));
    const x = (layer) => PAD + layer * (box + GAP), y = (row) => PAD + row * ROW;
    sheet.style.width = `${x(shape.layers - 1) + box + PAD}px`;
    sheet.style.height = `${y(shape.rows) - (ROW - BOX) + PAD}px`;
    boxes = new Map(plan.nodes.map((node) => [node.id, boxOf(node, stepWords(node, plan.nodes), box, x, y, shape.at.get(node.id))]));
    list.replaceChildren(...[...boxes.values()].map((found) => found.element));
    lines.replaceChildren(...shape.lines.map((line) => s("path", { d: curve(line, x, y, box), data: ends(line) })), ...joints(shape.lines, x, y));
  };

  const update = (told, { ended = over } = {}) => {
    work = told;
    over = ended;
    element.hidden = !work.plan?.nodes.length;
    if (element.hidden) {
      plan = null;
      return;
    }
    if (work.plan !== plan || element.clientWidth !== width) {
      plan = work.plan;
      width = element.clientWidth;
      build();
    }
    for (const [id, found] of boxes) paint(found, work.nodes.get(id), ended);
    for (const path of lines.querySelectorAll("path")) {
      path.dataset.done = path.dataset.from !== "" && work.nodes.get(path.dataset.from)?.status === "done";
    }
    follow(element, [...boxes.values()].find((found) => found.status === "running"));
  };

  new ResizeObserver(() => work?.plan && element.clientWidth !== width && update(work)).observe(element);
  return { element, update };
}

function boxOf(node, [about, doing], width, x, y, { layer, row }) {
  const mark = h("span", { class: "mark" }), bar = h("i"), state = h("span", { class: "unseen" }), does = h("span", { text: doing });
  const element = h("li", { title: node.subgoal },
    mark, h("span", { class: "about" }, h("b", { text: about }), does), state, bar);
  Object.assign(element.style, { left: `${x(layer)}px`, top: `${y(row)}px`, width: `${width}px`, height: `${BOX}px` });
  return { element, mark, bar, state, does, doing, subgoal: node.subgoal, status: null };
}

function paint(found, told, ended) {
  const status = told?.status === "running" && ended ? "halted" : told?.status ?? "pending";
  if (found.status !== status) {
    found.status = status;
    found.element.dataset.status = status;
    found.mark.replaceChildren(icon(status));
    found.state.textContent = `, ${nodeWords(status)}`;
  }
  say(found.does, told?.attempt > 1 ? `${found.doing} · try ${told.attempt}` : found.doing);
  found.element.title = [found.subgoal, told?.reason].filter(Boolean).join(": ");
  found.bar.style.width = told?.status === "running" ? `${Math.round(100 * Math.min(1, Math.max(0, told.progress ?? 0)))}%` : "0";
}

/** A run of curves through the points of a line, level where it meets a box. */
function curve(line, x, y, box) {
  const points = line.map((p, k) => ({ ...middle(p, y), left: p.joint ? x(p.layer) - GAP / 2 : x(p.layer), right: p.joint ? x(p.layer) - GAP / 2 : x(p.layer) + box, first: k === 0 }));
  let path = "";
  points.forEach((p, k) => {
    if (k > 0) {
      const q = points[k - 1], half = (p.left - q.right) / 2;
      path += `C${q.right + half} ${q.cy} ${p.left - half} ${p.cy} ${p.left} ${p.cy}`;
      if (k < points.length - 1) path += `H${p.right}`;
    } else path += `M${p.right} ${p.cy}`;
  });
  return path;
}

const middle = (p, y) => ({ cy: p.joint || p.id === undefined ? y(p.row + (p.joint ? 0.5 : p.room / 2)) - (ROW - BOX) / 2 : y(p.row) + BOX / 2 });

const ends = (line) => ({ from: line[0].id ?? "", to: line.at(-1).id ?? "" });

function joints(lines, x, y) {
  const found = new Set(lines.flat().filter((p) => p.joint));
  return [...found].map((p) => s("circle", { cx: x(p.layer) - GAP / 2, cy: middle(p, y).cy, r: 3.5 }));
}

/** Keep the running box in view where the graph is wider than its place. */
function follow(element, found) {
  if (!found || element.dataset.followed === found.subgoal) return;
  element.dataset.followed = found.subgoal;
  const left = found.element.offsetLeft - (element.clientWidth - found.element.offsetWidth) / 2;
  const top = found.element.offsetTop - (element.clientHeight - found.element.offsetHeight) / 2;
  element.scrollTo({ left, top, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}
