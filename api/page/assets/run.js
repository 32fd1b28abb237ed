// A run looked at again: one slider moves pictures, graph and scores together.

import { get, post } from "./api.js";
import { h, icon, say } from "./dom.js";
import { errorWords, once, problemLine } from "./forms.js";
import { framesView } from "./frames.js";
import { graphView } from "./graph.js";
import { logView } from "./log.js";
import { scoreView } from "./score.js";
import { scrubber } from "./scrubber.js";
import { latest, prepare } from "./timeline.js";
import { treeView } from "./tree.js";
import { count, duration, outcomeWords, when } from "./words.js";
import { workAt } from "./work.js";

const POLL_MS = 1_000;

/** The page. */
export function runPage() {
  const title = h("h1"), badge = h("span", { class: "badge" }), facts = h("p", { class: "facts" }), result = h("p", { class: "result", hidden: true });
  const wait = h("p", { class: "empty", role: "status" });
  const seek = (t) => bar.seek(t);
  const frames = framesView(), graph = graphView(), scores = scoreView({ onSeek: seek }), log = logView({ onSeek: seek }), tree = treeView({ onSeek: seek });
  const bar = scrubber({ onTime: (t) => at(t) });
  const replays = replayButtons();
  const back = h("a", { class: "back", href: "#/runs" }, icon("back"), "Runs");
  const body = h("div", { class: "columns" },
    h("div", { class: "left" }, frames.element, h("div", { class: "card happened" }, log.element)),
    h("div", { class: "right" }, h("section", { class: "card", "aria-label": "Plan and monitor" }, graph.element, scores.element)));
  const whole = h("div", { class: "whole" }, body, tree.element, bar.element);
  const element = h("div", { class: "page run" }, h("header", { class: "head" }, back, h("div", { class: "named" }, title, badge), facts, result, replays.element), wait, whole);
  let timeline = null, shown = "";

  const at = (t) => {
    if (!timeline) return;
    const work = workAt(timeline, t);
    frames.at(t);
    graph.update(work, { ended: t >= timeline.length });
    scores.update(work, { length: timeline.length, cursor: t });
    log.update(timeline.log, t);
    tree.at(t);
    const moment = latest(timeline.moments, t);
    bar.about(moment ? `chunk ${moment.chunk} · ${moment.node.replaceAll("_", " ")}` : "");
  };

  const head = (run) => {
    const [word, tone] = outcomeWords(run.outcome);
    say(title, run.command || run.name);
    document.title = `${run.command || run.name} · Tandem`;
    say(badge, word);
    badge.dataset.tone = tone;
    const told = [when(run.started_at), duration(run.duration_s), run.chunks > 0 && count(run.chunks, "chunk"), run.scene?.replaceAll("_", " "), run.arm?.replaceAll("_", " "), Number.isInteger(run.seed) && `seed ${run.seed}`, run.lost > 0 && `${count(run.lost, "span")} lost`];
    say(facts, told.filter(Boolean).join(" · "));
    result.hidden = !run.result || run.outcome === "succeeded";
    say(result, run.result ? errorWords(run.result) : "");
  };

  const load = async (name) => {
    shown = name;
    whole.hidden = true;
    wait.hidden = false;
    say(wait, "Reading the record…");
    try {
      const path = `/v1/runs/${encodeURIComponent(name)}`;
      const run = await get(path);
      if (shown !== name) return;
      head(run);
      replays.load(path);
      const told = prepare(await get(`${path}/timeline`));
      if (shown !== name) return;
      timeline = told;
      whole.hidden = false;
      wait.hidden = true;
      frames.load(name, timeline);
      tree.load(timeline);
      bar.load(timeline);
    } catch (error) {
      if (shown === name) say(wait, errorWords(error));
    }
  };
  return {
    element,
    show: load,
    hide() {
      shown = "";
      bar.pause();
      frames.close();
    },
  };
}

const REPLAY = { running: "is running…", same: "the same, bit by bit", differs: "differs", failed: "could not be replayed" };

/** Buttons that have the server repeat the run, and what came of it. */
function replayButtons() {
  const problem = problemLine();
  const told = h("p", { class: "hint", role: "status" });
  let path = "";
  const button = (text, level, title) => {
    const element = h("button", { type: "button", text, title });
    element.addEventListener("click", () => once(element, problem, () => replay(level)));
    return element;
  };
  const replay = async (level) => {
    const mine = path;
    let state = await post(`${mine}/replay`, { level });
    while (mine === path) {
      say(told, `Replay of ${level}: ${REPLAY[state.state] ?? state.state}. ${state.report}`);
      if (state.state !== "running") return;
      await new Promise((done) => setTimeout(done, POLL_MS));
      state = await get(`/v1/replays/${state.id}`);
    }
  };
  const element = h("div", { class: "replays" },
    h("div", { class: "actions" }, button("Replay physics", "physics", "Simulate it again and compare every state"), button("Replay decisions", "decisions", "Would today’s models decide the same?")),
    told, problem.element);
  return { element, load: (next) => { path = next; say(told, ""); problem.clear(); } };
}
