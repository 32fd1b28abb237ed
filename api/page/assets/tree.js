// Everything that was recorded: the spans of a run as a list, and the facts of the one that is chosen.

import { h } from "./dom.js";

/** The tree; `onSeek` is called with the start of a span that is chosen. */
export function treeView({ onSeek }) {
  const list = h("div", { class: "spans", role: "group", "aria-label": "Spans" });
  const detail = h("div", { class: "facts-of", tabindex: 0, role: "region", "aria-label": "Facts of the span" });
  const summary = h("summary", {}, h("h2", { text: "Everything that was recorded" }));
  const element = h("details", { class: "card tree" }, summary, h("div", { class: "columns" }, list, detail));
  let spans = [], rows = new Map(), byId = new Map(), built = false;

  const build = () => {
    built = true;
    rows = new Map(spans.map((span) => {
      const row = h("button", { type: "button", data: { status: span.status }, onclick: () => choose(span) }, h("b", { text: span.name }), span.told && ` ${span.told}`);
      row.style.paddingInlineStart = `${0.5 + span.depth}rem`;
      return [span.id, row];
    }));
    list.replaceChildren(...rows.values());
    if (spans.length) choose(spans[0], { seek: false });
  };
  const choose = (span, { seek = true } = {}) => {
    for (const [id, row] of rows) row.setAttribute("aria-pressed", String(id === span.id));
    if (seek) onSeek(span.start);
    detail.replaceChildren(h("dl", {}, ...factsOf(span, byId, (other) => {
      choose(other);
      rows.get(other.id).scrollIntoView({ block: "nearest" });
    })));
  };
  element.addEventListener("toggle", () => element.open && !built && build());
  return {
    element,
    load(timeline) {
      spans = timeline.spans;
      byId = new Map(spans.map((span) => [span.id, span]));
      built = false;
      element.open = false;
      element.hidden = spans.length === 0;
    },
    at(t) {
      if (!element.open) return;
      for (const span of spans) rows.get(span.id)?.classList.toggle("now", span.start <= t && (span.end === null || t <= span.end));
    },
  };
}

function factsOf(span, byId, go) {
  const ended = span.end === null ? "never ended" : `took ${(span.end - span.start).toFixed(3)} s`;
  const pairs = [["span", `${span.name} ${span.id}`], ["time", `${span.start.toFixed(3)} s, ${ended}`]];
  if (span.message) pairs.push(["error", span.message]);
  pairs.push(...span.facts, ...span.logs.map((log) => [`at ${log.t.toFixed(3)} s`, log.text]));
  const links = span.links.map(([kind, id]) => {
    const other = byId.get(id);
    const target = other ? h("button", { type: "button", class: "link", text: `${other.name} ${id.slice(0, 8)}`, onclick: () => go(other) }) : `another run, ${id}`;
    return [h("dt", { text: `because of (${kind})` }), h("dd", {}, target)];
  });
  return [...pairs.map(([key, value]) => [h("dt", { text: key }), h("dd", { text: value })]), ...links].flat();
}
