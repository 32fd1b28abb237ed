// The runs on record: all of them with a filter, or the last few beside the live view.

import { get } from "./api.js";
import { h } from "./dom.js";
import { errorWords } from "./forms.js";
import { count, duration, outcomeWords, when } from "./words.js";

const PAGE = 100;
const OUTCOMES = ["succeeded", "failed", "refused", "cancelled", "stopped", "needs_help", "interrupted", "unfinished"];

const address = (run) => `#/runs/${encodeURIComponent(run.name)}`;
const badgeOf = (run) => {
  const [word, tone] = outcomeWords(run.outcome);
  return h("span", { class: "badge", data: { tone }, text: word });
};

/** The page of all runs. */
export function historyPage() {
  const text = h("input", { id: "find", type: "search", placeholder: "words of the command", autocomplete: "off" });
  const outcome = h("select", { id: "outcome" }, h("option", { value: "", text: "any outcome" }), ...OUTCOMES.map((value) => h("option", { value, text: outcomeWords(value)[0].toLowerCase() })));
  const found = h("p", { class: "hint", role: "status" });
  const body = h("div", { class: "runs" });
  const element = h("div", { class: "page" },
    h("header", { class: "head" }, h("h1", { text: "Runs" }),
      h("form", { class: "filter", role: "search", onsubmit: (event) => event.preventDefault() },
        h("label", { for: "find", class: "unseen", text: "Words of the command" }), text,
        h("label", { for: "outcome", class: "unseen", text: "Outcome" }), outcome)),
    found, body);
  let limit = PAGE, latest = 0;

  const load = async () => {
    const mine = (latest += 1);
    const query = new URLSearchParams({ limit, outcome: outcome.value, text: text.value.trim() });
    for (const key of ["outcome", "text"]) if (!query.get(key)) query.delete(key);
    try {
      const { runs } = await get(`/v1/runs?${query}`);
      if (mine === latest) draw(runs);
    } catch (error) {
      if (mine === latest) body.replaceChildren(h("p", { class: "problem", role: "alert", text: errorWords(error) }));
    }
  };
  const draw = (runs) => {
    const filtered = outcome.value || text.value.trim();
    found.textContent = runs.length ? `${count(runs.length, "run")}${runs.length === limit ? ", the newest" : ""}` : "";
    if (!runs.length) body.replaceChildren(h("div", { class: "card empty" }, h("h2", { text: filtered ? "No run fits" : "No runs yet" }),
      h("p", { text: filtered ? "Try other words, or any outcome." : "Every command leaves a run that can be looked at again: give the first one on the live page." })));
    else body.replaceChildren(table(runs), ...(runs.length === limit ? [h("button", { type: "button", text: "Show more", onclick: () => { limit += PAGE; load(); } })] : []));
  };
  let timer;
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(load, 250);
  });
  outcome.addEventListener("change", load);
  return { element, show: load, hide() {} };
}

function table(runs) {
  const head = h("thead", {}, h("tr", {}, ...["Command", "Outcome", "When", "Took", "Where"].map((text) => h("th", { scope: "col", text }))));
  const rows = runs.map((run) => h("tr", {},
    h("td", {}, h("a", { href: address(run), text: run.command || run.name })),
    h("td", {}, badgeOf(run), run.code && run.code !== run.outcome.toUpperCase() && h("code", { text: run.code })),
    h("td", {}, h("time", { datetime: run.started_at, text: when(run.started_at) })),
    h("td", { class: "number", text: duration(run.duration_s) }),
    h("td", { text: [run.scene, run.arm].filter(Boolean).join(" · ").replaceAll("_", " ") })));
  return h("div", { class: "card flush" }, h("table", {}, head, h("tbody", {}, ...rows)));
}

/** The last few runs, for the live page. */
export function recentRuns() {
  const list = h("ul", { class: "recent" });
  const element = h("section", { class: "card recents", "aria-label": "Last runs", hidden: true }, h("header", { class: "split" }, h("h2", { text: "Last runs" }), h("a", { href: "#/runs", text: "All runs" })), list);
  const load = async () => {
    try {
      const { runs } = await get("/v1/runs?limit=5");
      element.hidden = runs.length === 0;
      list.replaceChildren(...runs.map((run) => h("li", {}, h("a", { href: address(run), text: run.command || run.name }), badgeOf(run), h("time", { datetime: run.started_at, text: when(run.started_at) }))));
    } catch {
      element.hidden = true; // the live page says itself when the server is away
    }
  };
  return { element, load };
}
