// When the robot asks: what it sees, what it wants to know, and the answers at hand.

import { picture, post } from "./api.js";
import { announce, h, icon, say } from "./dom.js";
import { lineForm, once, problemLine } from "./forms.js";
import { adopt } from "./session.js";
import { capital } from "./words.js";

/** The card; empty while nothing is asked. */
export function questionCard() {
  const element = h("section", { class: "card question", "aria-label": "Question", hidden: true });
  let key = "", left = null, url = null;

  const draw = (command) => {
    const { question } = command;
    const problem = problemLine();
    const answer = async (text) => adopt(await post(`/v1/commands/${command.id}/answer`, { question: question.id, answer: text }));
    const options = question.options.map((option) => {
      const button = h("button", { type: "button", class: "option", text: capital(option) });
      button.addEventListener("click", () => once(button, problem, () => answer(option)));
      return button;
    });
    left = h("span", { class: "hint" });
    const image = h("img", { alt: "What the robot sees", hidden: true });
    const free = lineForm({ id: "answer", label: options.length ? "Or in your own words" : "Your answer", placeholder: "", button: "Answer", send: answer });
    element.replaceChildren(
      image,
      h("div", { class: "asked" },
        h("header", { class: "split" }, h("h2", {}, icon("ask"), capital(question.text)), left),
        options.length > 0 && h("div", { class: "options", role: "group", "aria-label": "Answers" }, ...options),
        problem.element, free));
    announce(`The robot asks: ${question.text}`);
    if (question.snapshot) load(question.snapshot, image);
    if (document.activeElement === document.body) (options[0] ?? free.querySelector("input")).focus();
  };

  const load = async (path, image) => {
    try {
      const taken = await picture(path);
      if (!taken || !image.isConnected) return;
      url = taken.url;
      image.src = url;
      image.hidden = false;
    } catch {
      // The question can be answered without its picture; the cameras show the scene too.
    }
  };

  const update = (command) => {
    const asked = command?.state === "needs_help" && command.question;
    const now = asked ? `${command.id} ${command.question.id}` : "";
    if (now !== key) {
      key = now;
      if (url) URL.revokeObjectURL(url);
      url = null;
      element.hidden = !asked;
      if (asked) draw(command);
      else element.replaceChildren();
    }
    if (asked) say(left, remaining(command.question.expires_at));
  };
  return { element, update };
}

function remaining(expires) {
  const seconds = Math.round((Date.parse(expires) - Date.now()) / 1000);
  if (!Number.isFinite(seconds)) return "";
  if (seconds <= 0) return "The time to answer is over.";
  return seconds > 90 ? `It waits for ${Math.round(seconds / 60)} min.` : `It waits for ${seconds} s.`;
}
