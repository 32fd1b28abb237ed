// What is known of one command's work: the same shape whether it happens now or is read from a recording.

import { capital, count, nodeWords, planWords, scoreKey, scoreLine, stepLine } from "./words.js";

/**
 * Nothing known yet. `plan` is {version, reason, nodes, edges}; `nodes` maps an id to {status, attempt, progress, reason};
 * `scores` maps a name to points [t, score, bound]; `log` holds {t, tone, text}; `before` counts what earlier plans have done; t is in seconds.
 */
export function nothing() {
  return { plan: null, nodes: new Map(), scores: new Map(), log: [], t: 0, began: null, seq: 0, before: 0 };
}

/** How many nodes of the present plan are done. */
export const doneOf = (work) => [...work.nodes.values()].filter((node) => node.status === "done").length;

const MAX_POINTS = 5000;
const MAX_LOG = 500;

/** Take in one event of the stream; events that were seen already change nothing. */
export function fold(work, event) {
  if (event.seq <= work.seq) return work;
  work.seq = event.seq;
  const at = Date.parse(event.at) / 1000;
  const started = event.type === "command" && Date.parse(event.data.started_at) / 1000;
  if (started > 0) work.began = started;
  work.began ??= at;
  work.t = Math.max(0, at - work.began);
  FOLDS[event.type]?.(work, event.data);
  if (work.log.length > MAX_LOG) work.log.splice(0, work.log.length - MAX_LOG);
  return work;
}

/** How a try of a node ended, in one line. */
export function endLine(plan, { node, attempt, succeeded, reason }) {
  const found = plan?.nodes.find((other) => other.id === node) ?? { id: node };
  const tries = attempt > 1 ? ` (try ${attempt})` : "";
  return `${stepLine(found, plan?.nodes)}${tries}: ${!succeeded && reason ? reason : nodeWords(succeeded ? "done" : "failed")}`;
}

const note = (work, tone, text) => work.log.push({ t: work.t, tone, text });

const FOLDS = {
  scene(work, scene) {
    const seen = scene.objects.length;
    if (work.seen !== seen) note(work, "idle", `Sees ${seen ? count(seen, "object") : "nothing on the table"}`);
    work.seen = seen;
  },
  plan(work, plan) {
    if (!plan.nodes.length && work.plan) {
      note(work, "ok", "Looked again: nothing is left");
      return;
    }
    work.before += doneOf(work);
    work.plan = plan;
    work.nodes = new Map();
    const why = planWords(plan.reason);
    const steps = plan.nodes.length ? count(plan.nodes.length, "step") : "nothing to do";
    note(work, "idle", `Plan${plan.version ? ` ${plan.version + 1}` : ""}: ${steps}${why && `, ${why}`}`);
  },
  node(work, { node, status, attempt, reason }) {
    work.nodes.set(node, { status, attempt, reason, progress: status === "running" ? 0 : null });
    if (status !== "running") note(work, status === "done" ? "ok" : "bad", endLine(work.plan, { node, attempt, reason, succeeded: status === "done" }));
  },
  progress(work, { node, progress }) {
    const known = work.nodes.get(node);
    if (known) known.progress = progress;
  },
  score(work, { name, level, score, threshold }) {
    const key = scoreKey(name);
    if (!work.scores.has(key)) work.scores.set(key, []);
    const points = work.scores.get(key);
    points.push([work.t, score, threshold]);
    if (points.length > MAX_POINTS) points.splice(0, points.length - MAX_POINTS);
    if (level !== "warn" && level !== "alarm") return;
    const last = work.log.at(-1);
    const text = scoreLine(name, score, threshold);
    if (last?.score === key) Object.assign(last, { text, tone: level === "alarm" ? "bad" : last.tone });
    else work.log.push({ t: work.t, tone: level === "alarm" ? "bad" : "ask", text, score: key });
  },
  question(work, { text, answer }) {
    note(work, "ask", answer === undefined || answer === null ? capital(text) : `Answered: ${answer}`);
  },
  outcome(work, { outcome, message, code }) {
    note(work, outcome === "succeeded" ? "ok" : "bad", `${capital(message || outcome)}${code && ` (${code})`}`);
  },
};

/** The work of a recorded run as it stood at second `t`; `timeline` is the server's. */
export function workAt(timeline, t) {
  const work = nothing();
  work.t = t;
  work.scores = timeline.scoreMap;
  const now = (list, start) => list.filter((item) => start(item) <= t + 1e-6);
  const plans = timeline.plans.filter((plan) => plan.nodes.length);
  work.plan = now(plans, (plan) => plan.t).at(-1) ?? plans[0] ?? null;
  for (const tried of now(timeline.nodes, (node) => node.start)) {
    if (!work.plan || tried.start < work.plan.t - 1e-6) continue;
    const ended = tried.end !== null && tried.end <= t + 1e-6;
    const status = ended ? (tried.succeeded ? "done" : "failed") : "running";
    const length = (tried.end ?? timeline.length) - tried.start;
    const progress = status === "running" && length > 0 ? Math.min(1, (t - tried.start) / length) : null;
    work.nodes.set(tried.node, { status, attempt: tried.attempt, reason: tried.reason ?? "", progress });
  }
  return work;
}
