// What the page's small forms share: sending once, and saying what went wrong beside the field.

import { h, say } from "./dom.js";
import { capital } from "./words.js";

const QUIET = new Set(["UNREACHABLE", "CANCELLED", "STOPPED"]); // codes that add nothing to the words

/** A place for what went wrong, and how to fill and clear it. */
export function problemLine() {
  const element = h("p", { class: "problem", role: "alert" });
  return { element, clear: () => say(element, ""), tell: (error) => say(element, errorWords(error)) };
}

/** What is wrong, and what to do about it. */
export function errorWords(error) {
  const fix = error.fix ? ` ${sentence(error.fix)}` : "";
  return `${sentence(error.message)}${fix}${error.code && !QUIET.has(error.code) ? ` (${error.code})` : ""}`;
}

function sentence(text) {
  const started = capital(text || "");
  return /[.?!…]$/.test(started) ? started : `${started}.`;
}

/** Run `work` with the control switched off, so that nothing is sent twice. Tells what it raises. */
export async function once(control, problem, work) {
  if (control.disabled) return;
  control.disabled = true;
  problem.clear();
  try {
    await work();
  } catch (error) {
    problem.tell(error);
  } finally {
    control.disabled = false;
  }
}

/** A field with a button for one line of text; `send` gets the text, and the field is emptied when it is taken. */
export function lineForm({ id, label, placeholder, button, send }) {
  const field = h("input", { id, type: "text", maxlength: 4000, autocomplete: "off", placeholder, required: true });
  const submit = h("button", { type: "submit", text: button });
  const problem = problemLine();
  const form = h("form", { class: "line" }, h("label", { for: id, text: label }), h("div", {}, field, submit), problem.element);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text) once(submit, problem, async () => {
      await send(text);
      field.value = "";
    });
  });
  return form;
}
