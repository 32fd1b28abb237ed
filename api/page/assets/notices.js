// Bands below the header for what concerns the whole page: no connection, a stopped arm, no token.

import { $, h, icon } from "./dom.js";

const shown = new Map(); // key → {element, signature}

/** Show a band, or change the one of this key. `action` is an element at its end. */
export function notice(key, tone, text, fix = "", action = null) {
  const signature = [tone, text, fix].join("\n");
  if (shown.get(key)?.signature === signature) return;
  const words = h("p", {}, h("strong", { text }), fix && ` ${fix}`);
  const element = h("div", { class: "notice", data: { tone, notice: key } }, icon({ ask: "ask", run: "running" }[tone] ?? "failed"), words, action);
  if (shown.has(key)) shown.get(key).element.replaceWith(element);
  else $("notices").append(element);
  shown.set(key, { element, signature });
}

/** Take a band away. */
export function clearNotice(key) {
  shown.get(key)?.element.remove();
  shown.delete(key);
}
