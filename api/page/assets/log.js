// What happened, line by line: newest first while it happens, in order when it is looked at again.

import { h } from "./dom.js";
import { duration } from "./words.js";

/** The list; with `onSeek` its times are buttons, and what lies after `cursor` is dim. */
export function logView({ onSeek } = {}) {
  const list = h("ol", { class: "log" });
  const element = h("section", { "aria-label": "What happened" }, h("h2", { class: "label", text: "What happened" }), list);
  let key = null, lines = [];

  const line = ({ t, tone, text }) => {
    const time = duration(t);
    const mark = onSeek ? h("button", { type: "button", text: time, onclick: () => onSeek(t) }) : h("time", { text: time });
    return h("li", { data: { tone } }, mark, h("span", { text }));
  };
  const update = (log, cursor = Infinity) => {
    const last = log.at(-1);
    const now = last ? `${log.length} ${log[0].t} ${last.t} ${last.text}` : "";
    if (now !== key) {
      key = now;
      element.hidden = !last;
      lines = log.map((entry) => [entry.t, line(entry)]);
      list.replaceChildren(...(onSeek ? lines : lines.toReversed()).map(([, item]) => item));
    }
    for (const [t, item] of lines) item.classList.toggle("ahead", t > cursor + 1e-6);
  };
  return { element, update };
}
