// A recorded run on one clock: what the server tells, made ready for the scrubber.

import { count, planWords, scoreKey, scoreLine } from "./words.js";
import { endLine } from "./work.js";

/** Add to the server's timeline what is looked up often: scores by name, and the log. */
export function prepare(timeline) {
  const scoreMap = new Map();
  for (const { name, points } of timeline.scores) {
    const key = scoreKey(name);
    scoreMap.set(key, [...(scoreMap.get(key) ?? []), ...points].sort((a, b) => a[0] - b[0]));
  }
  return { ...timeline, scoreMap, log: logOf(timeline), over: overOf(scoreMap) };
}

function logOf({ plans, nodes, spans }) {
  const planAt = (t) => plans.findLast((plan) => plan.nodes.length && plan.t <= t);
  const entries = [
    ...plans.map((plan) => ({ t: plan.t, tone: "idle", text: planLine(plan) })),
    ...nodes.filter((tried) => tried.end !== null).map((tried) => ({ t: tried.end, tone: tried.succeeded ? "ok" : "bad", text: endLine(planAt(tried.start), tried) })),
    ...spans.filter((span) => span.name.startsWith("tandem.ask")).map((span) => ({ t: span.start, tone: "ask", text: `Asked: ${span.told}` })),
    ...spans.flatMap((span) => span.logs).filter((log) => LOUD.test(log.text)).map((log) => ({ t: log.t, tone: "bad", text: log.text.replace(/^tandem\./, "") })),
    ...spans.filter((span) => span.message).map((span) => ({ t: span.end ?? span.start, tone: "bad", text: span.message })),
  ];
  return entries.sort((a, b) => a.t - b.t);
}

const LOUD = /^tandem\.(monitor\.alarm|body\.stop|body\.reset)/;

function planLine({ version, nodes, reason }) {
  if (version && !nodes.length) return "Looked again: nothing is left";
  const why = planWords(reason);
  return `Plan${version ? ` ${version + 1}` : ""}: ${nodes.length ? count(nodes.length, "step") : "nothing to do"}${why && `, ${why}`}`;
}

/** Where a score was over its threshold, first of each stretch. */
function overOf(scoreMap) {
  const found = [];
  for (const [name, points] of scoreMap) {
    let over = false;
    for (const [t, score, bound] of points) {
      if (bound > 0 && score > bound && !over) found.push({ t, text: scoreLine(name, score, bound) });
      over = bound > 0 && score > bound;
    }
  }
  return found;
}

/** The last item of a list in order of `t` that is not after `t`; null before the first. */
export function latest(list, t) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].t <= t + 1e-6) low = middle + 1;
    else high = middle;
  }
  return low ? list[low - 1] : null;
}
