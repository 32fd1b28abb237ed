// The command at work, or the last one: what was said, how far it is, and what can be done about it.

import { post } from "./api.js";
import { announce, h, say } from "./dom.js";
import { errorWords, lineForm, once, problemLine } from "./forms.js";
import { command as give } from "./command.js";
import { graphView } from "./graph.js";
import { logView } from "./log.js";
import { scoreView } from "./score.js";
import { adopt, shownCommand, TERMINAL, waitingCommands, workOf } from "./session.js";
import { count, duration, stateWords } from "./words.js";
import { doneOf } from "./work.js";

const WELCOME = [
  ["Say it", "In plain words above, or take an example. Several things may match, or one be missing: then the robot asks, or says why not."],
  ["Watch it", "The steps of the plan appear here and fill in as the arm does them, with the monitor’s scores against their thresholds."],
  ["Correct it", "“Not the red one”: what is left is planned anew, what is done stays done."],
  ["Stop it", "The red button or the Escape key, at any time. The arm holds still until you reset it."],
];
const LEFT = new Set(["interrupted", "cancelled", "aborted"]);

/** The card. */
export function nowCard() {
  const title = h("h2"), badge = h("span", { class: "badge" }), facts = h("p", { class: "facts" });
  const result = h("p", { class: "result", hidden: true }), problem = problemLine();
  const actions = h("div", { class: "actions" });
  const graph = graphView(), scores = scoreView(), log = logView();
  const amended = h("ul", { class: "amended" });
  const queue = h("ol", { class: "queue", "aria-label": "Waiting commands" });
  let id = null, actionKey = "", told = "";

  const amend = lineForm({
    id: "amend", label: "Correct it while it works", placeholder: "not the red one", button: "Correct",
    send: async (text) => adopt(await post(`/v1/commands/${id}/amend`, { text })),
  });
  const empty = h("div", { class: "welcome" },
    h("h2", { text: "Nothing to do yet" }),
    h("dl", {}, ...WELCOME.flatMap(([term, text]) => [h("dt", { text: term }), h("dd", { text })])));
  const full = h("div", { class: "full" },
    h("header", {}, title, h("div", { class: "state" }, badge, facts), actions, result, amended, problem.element),
    graph.element, amend, scores.element, log.element);
  const element = h("section", { class: "card now", "aria-label": "Command" }, empty, full, queue);

  const act = (text, path, done) => {
    const button = h("button", { type: "button", text });
    button.addEventListener("click", () => once(button, problem, async () => {
      adopt(await post(`/v1/commands/${id}/${path}`));
      if (done) announce(done);
    }));
    return button;
  };
  const actionsOf = (shown) => {
    const ended = TERMINAL.has(shown.state);
    const again = h("button", { type: "button", text: "Repeat" });
    again.addEventListener("click", () => once(again, problem, () => give(shown.instruction)));
    return [
      !ended && shown.state !== "cancelling" && act("Cancel", "cancel", "Cancelling"),
      ended && LEFT.has(shown.state) && act("Resume", "resume", "Going on with what is left"),
      ended && again,
      ended && shown.run && h("a", { class: "button", href: `#/runs/${encodeURIComponent(shown.run)}`, text: "Open the run" }),
    ].filter(Boolean);
  };

  const update = () => {
    const shown = shownCommand();
    empty.hidden = Boolean(shown);
    full.hidden = !shown;
    drawQueue(queue, waitingCommands().filter((c) => c !== shown), problem);
    if (!shown) return;
    const work = workOf(shown), [word, tone] = stateWords(shown.state, shown.result?.outcome);
    if (id !== shown.id) problem.clear();
    id = shown.id;
    say(title, shown.instruction);
    say(badge, word);
    badge.dataset.tone = tone;
    if (told && told !== `${id} ${word}`) announce(`${word}: ${shown.instruction}`);
    told = `${id} ${word}`;
    say(facts, factsOf(shown, work));
    drawResult(result, shown);
    if (amended.childElementCount !== shown.amendments.length) amended.replaceChildren(...shown.amendments.map((text) => h("li", { text })));
    const key = `${id} ${shown.state} ${shown.run}`;
    if (key !== actionKey) actions.replaceChildren(...actionsOf(shown));
    actionKey = key;
    amend.hidden = !["executing", "needs_help"].includes(shown.state);
    graph.update(work, { ended: TERMINAL.has(shown.state) });
    scores.update(work);
    log.update(work.log);
  };
  return { element, update };
}

function factsOf(shown, work) {
  const steps = work.plan?.nodes.length ?? 0;
  const { result } = shown;
  const began = Date.parse(shown.started_at), ended = Date.parse(shown.ended_at);
  const time = ((Number.isNaN(ended) ? Date.now() : ended) - began) / 1000;
  return [
    steps > 0 && `${doneOf(work)} of ${count(steps, "step")}`,
    work.before > 0 && `${work.before} done before`,
    began > 0 && duration(Math.max(0, time)),
    work.plan?.version > 0 && `plan ${work.plan.version + 1}`,
    result?.retries > 0 && (result.retries === 1 ? "1 retry" : `${result.retries} retries`),
  ].filter(Boolean).join(" · ") || (shown.state === "executing" ? "Looking and planning…" : " ");
}

function drawResult(element, { result, state }) {
  element.hidden = !result || state === "succeeded";
  if (element.hidden) return;
  say(element, errorWords(result));
}

function drawQueue(element, waiting, problem) {
  const key = waiting.map((c) => c.id).join();
  element.hidden = waiting.length === 0;
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  element.replaceChildren(...waiting.map((c) => {
    const button = h("button", { type: "button", class: "quiet", text: "Remove", "aria-label": `Remove: ${c.instruction}` });
    button.addEventListener("click", () => once(button, problem, async () => adopt(await post(`/v1/commands/${c.id}/cancel`))));
    return h("li", {}, h("span", { class: "badge", text: "Waiting", data: { tone: "idle" } }), h("span", { text: c.instruction }), button);
  }));
}
