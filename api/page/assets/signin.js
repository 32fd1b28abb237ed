// Without a token nothing can be asked: where to find it.

import { adoptToken } from "./api.js";
import { h, say } from "./dom.js";
import { errorWords } from "./forms.js";

/** The page that asks for the link; `done` is called when a token is there. */
export function signInPage(error, done) {
  const field = h("input", { id: "link", type: "password", autocomplete: "off", required: true, placeholder: "http://127.0.0.1:8420/#token=…" });
  const problem = h("p", { class: "problem", role: "alert", text: error ? errorWords(error) : "" });
  const form = h("form", { class: "line" }, h("label", { for: "link", text: "The link, or the token alone" }), h("div", {}, field, h("button", { class: "primary", type: "submit", text: "Open" })), problem);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (adoptToken(text.includes("token=") ? text : `#token=${encodeURIComponent(text)}`)) done();
    else say(problem, "There is no token in it.");
  });
  return h("div", { class: "card signin" },
    h("h1", { text: "Which robot is yours?" }),
    h("p", { text: "“tandem serve” printed a link when it began. Open that link, or paste it here: it holds the token that lets you command the robot. The stop button works without it." }),
    form);
}
