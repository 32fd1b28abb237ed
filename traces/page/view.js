"use strict";
const run = JSON.parse(document.getElementById("run").textContent);
const byId = new Map(run.spans.map((span) => [span.id, span]));
const $ = (id) => document.getElementById(id);
const colours = ["#1c6fb8", "#c2571a", "#2b8a3e", "#8e44ad", "#b7791f", "#c92a2a"];
const rows = new Map();
let chosen = null, playing = null;

function make(tag, text, attributes = {}) {
  const space = ["svg", "path", "line", "text", "rect"].includes(tag) ? "http://www.w3.org/2000/svg" : null;
  const element = space ? document.createElementNS(space, tag) : document.createElement(tag);
  if (text !== null) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function drawTree() {
  for (const span of run.spans) {
    const row = make("button", `${span.name}  ${span.told}`, { class: span.status, title: `${span.name} ${span.id}` });
    row.style.paddingLeft = `${0.3 + span.depth}rem`;
    row.addEventListener("click", () => { choose(span); at(span.start); });
    rows.set(span.id, row);
    $("tree").append(row);
  }
}

function pair(body, key, value) {
  const row = make("tr", null);
  row.append(make("td", key), make("td", value));
  body.append(row);
}

function choose(span) {
  if (chosen) rows.get(chosen.id).classList.remove("chosen");
  chosen = span;
  rows.get(span.id).classList.add("chosen");
  const body = make("table", null);
  pair(body, "span", `${span.name} ${span.id}`);
  pair(body, "time", `${span.start.toFixed(3)} s` + (span.end === null ? ", lost" : `, took ${(span.end - span.start).toFixed(3)} s`));
  if (span.message) pair(body, "error", span.message);
  for (const [key, value] of span.facts) pair(body, key, value);
  for (const log of span.logs) pair(body, `at ${log.t.toFixed(3)} s`, log.text);
  for (const [kind, target] of span.links) {
    const row = make("tr", null), cell = make("td", null), other = byId.get(target);
    const link = make(other ? "a" : "span", other ? `${other.name} ${target.slice(0, 8)}` : `another run, ${target}`);
    if (other) link.addEventListener("click", () => { choose(other); at(other.start); rows.get(target).scrollIntoView({ block: "center" }); });
    cell.append(link);
    row.append(make("td", `← ${kind}`), cell);
    body.append(row);
  }
  $("detail").replaceChildren(make("h2", "Span"), body);
}

function drawScores() {
  if (!run.scores.length) return;
  const chart = make("svg", null, { viewBox: "0 0 1000 200", preserveAspectRatio: "none", id: "chart" });
  const y = (share) => 190 - 140 * Math.min(1.25, Math.max(0, share));
  const x = (t) => 1000 * t / run.length;
  chart.append(make("line", null, { x1: 0, x2: 1000, y1: y(1), y2: y(1), stroke: "#c92a2a", "stroke-dasharray": "6 4" }));
  run.scores.forEach((score, k) => {
    const points = score.points.map(([t, share], i) => `${i ? "L" : "M"}${x(t).toFixed(1)} ${y(share).toFixed(1)}`).join("");
    chart.append(make("path", null, { d: points, fill: "none", stroke: colours[k % colours.length], "stroke-width": 2, "vector-effect": "non-scaling-stroke" }));
  });
  chart.append(make("line", null, { id: "cursor", y1: 0, y2: 200, stroke: "currentColor", "vector-effect": "non-scaling-stroke" }));
  chart.addEventListener("click", (event) => {
    const box = chart.getBoundingClientRect();
    at(run.length * (event.clientX - box.left) / box.width);
  });
  const legend = make("div", null);
  run.scores.forEach((score, k) => {
    const item = make("span", `— ${score.name}   `);
    item.style.color = colours[k % colours.length];
    legend.append(item);
  });
  legend.append(make("span", "- - the bound", { class: "dim" }));
  $("scores").append(make("h2", "Scores, as shares of their bounds"), chart, legend);
}

function latest(list, t) {
  let found = null;
  for (const item of list) { if (item.t > t + 1e-6) break; found = item; }
  return found;
}

function at(t) {
  t = Math.min(run.length, Math.max(0, t));
  $("time").value = t;
  const moment = latest(run.moments, t);
  $("clock").textContent = `${t.toFixed(2)} s` + (moment ? `  ·  body ${moment.body.toFixed(2)} s  ·  chunk ${moment.chunk}  ·  ${moment.node}` : "");
  const shown = [];
  for (const [camera, frames] of Object.entries(run.frames)) {
    const frame = latest(frames, t);
    if (!frame) continue;
    const figure = make("figure", null);
    figure.append(make("img", null, { src: run.images[frame.image], alt: camera }), make("figcaption", `${camera}, ${frame.t.toFixed(2)} s`));
    shown.push(figure);
  }
  $("frames").replaceChildren(...shown);
  const cursor = $("cursor");
  if (cursor) for (const end of ["x1", "x2"]) cursor.setAttribute(end, 1000 * t / run.length);
  for (const span of run.spans) {
    rows.get(span.id).classList.toggle("now", span.start <= t && (span.end === null || t <= span.end));
  }
}

function play() {
  if (playing) { clearInterval(playing); playing = null; $("play").textContent = "▶"; return; }
  $("play").textContent = "❚❚";
  playing = setInterval(() => {
    const t = Number($("time").value) + 0.1;
    at(t);
    if (t >= run.length) play();
  }, 100);
}

drawTree();
drawScores();
$("time").max = run.length;
$("time").addEventListener("input", (event) => at(Number(event.target.value)));
$("play").addEventListener("click", play);
document.addEventListener("keydown", (event) => {
  if (event.target === $("time")) return;
  if (event.key === "ArrowRight") at(Number($("time").value) + 0.5);
  if (event.key === "ArrowLeft") at(Number($("time").value) - 0.5);
});
const firsts = Object.values(run.frames).map((frames) => frames[0].t);
at(firsts.length ? Math.min(...firsts) : 0);
if (run.spans.length) choose(run.spans[0]);
document.body.dataset.ready = "yes";
