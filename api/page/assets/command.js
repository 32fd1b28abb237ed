// The command box: plain words in, a command accepted; with examples that fit what is seen.

import { post } from "./api.js";
import { announce, h, icon, say } from "./dom.js";
import { once, problemLine } from "./forms.js";
import { adopt, shownCommand, TERMINAL, waitingCommands } from "./session.js";
import { count } from "./words.js";

const PLAIN = ["clear the table", "put a cup in the sink", "sort the cubes by colour"];
const MOST = 4;

/** Give a command. */
export async function command(instruction) {
  const key = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const accepted = await post("/v1/commands", { instruction }, { headers: { "Idempotency-Key": key } });
  adopt(accepted);
  announce(`Accepted: ${instruction}`);
  return accepted;
}

/** The box. */
export function commandBox() {
  const field = h("textarea", { id: "command", rows: 1, maxlength: 4000, spellcheck: "true", enterkeyhint: "send", placeholder: "clear the table" });
  const submit = h("button", { class: "primary", type: "submit" }, h("span", { text: "Do it" }), icon("send"));
  const problem = problemLine();
  const hint = h("p", { class: "hint" });
  const examples = h("div", { class: "examples", role: "group", "aria-label": "Examples" });
  const form = h("form", { class: "command" },
    h("header", { class: "split" }, h("label", { for: "command", text: "What should the robot do?" }), hint),
    h("div", { class: "box" }, field, submit), problem.element, examples);

  const grow = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  };
  const put = (text) => {
    field.value = text;
    grow();
    field.focus();
  };
  const send = () => {
    const text = field.value.trim();
    if (text) once(submit, problem, async () => {
      await command(text);
      put("");
    });
  };
  field.addEventListener("input", grow);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });

  let offered = "";
  const update = ({ scene }) => {
    const shown = shownCommand(), waiting = waitingCommands().length;
    const busy = Boolean(shown) && !TERMINAL.has(shown.state);
    say(submit.firstChild, busy ? "Queue it" : "Do it");
    say(hint, busy ? `It will wait until this command has ended${waiting > 1 ? `, behind ${count(waiting - 1, "other")}` : ""}.` : "");
    const fitting = examplesFor(scene);
    if (fitting.join() === offered) return;
    offered = fitting.join();
    examples.replaceChildren(...fitting.map((text) => h("button", { type: "button", class: "chip", text, onclick: () => put(text) })));
  };
  return { element: form, update, focus: () => field.focus({ preventScroll: true }) };
}

/** Commands that make sense with what is seen. */
export function examplesFor(scene) {
  const objects = scene?.objects ?? [];
  if (!objects.length) return PLAIN;
  const of = (category) => objects.find((o) => o.category === category);
  const cubes = objects.filter((o) => o.category === "cube");
  const [cup, plate, bottle] = [of("cup"), of("plate"), of("bottle")];
  return [
    "clear the table",
    cup && `put the ${cup.colour} cup in the sink`,
    plate && `put the ${plate.colour} plate in the dish rack`,
    cubes.length > 1 && "sort the cubes by colour",
    bottle && `throw the ${bottle.colour} bottle in the bin`,
    cubes.length > 0 && `push the ${cubes[0].colour} cube to the left`,
    scene.drawer && "open the drawer",
    scene.lamp && `turn the lamp ${scene.lamp.lit ? "off" : "on"}`,
  ].filter(Boolean).slice(0, MOST);
}
