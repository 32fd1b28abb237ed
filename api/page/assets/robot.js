// The robot in the header, and the bands that say what is the matter with it.

import { post } from "./api.js";
import { $, announce, h, say } from "./dom.js";
import { clearNotice, notice } from "./notices.js";
import { adoptRobot } from "./session.js";
import { stopAt } from "./stop.js";
import { robotWords } from "./words.js";

let told = null;

/** Show the session's robot. */
export function drawRobot({ link, robot, error, commands }) {
  const [word, tone] = link === "lost" ? ["No connection", "ask"] : robot ? robotWords(robot, [...commands.values()].some((c) => c.state === "needs_help")) : ["Connecting", "idle"];
  const badge = $("robot-state");
  say(badge, word);
  badge.dataset.tone = tone;
  if (told !== null && told !== word) announce(`Robot: ${word}`);
  told = word;
  say($("robot-about"), robot ? [robot.scene, robot.arm].filter(Boolean).join(" · ").replaceAll("_", " ") : "");
  if (robot) stopAt(robot.stop_url);
  bands(link, robot, error);
}

function bands(link, robot, error) {
  band("link", link === "lost", "ask", "Connection lost, trying again.", "What you see may be old. Stop still works: it has a line of its own.");
  band("error", link === "live" && error, "bad", error?.message, error?.fix && `${error.fix}.`);
  band("starting", robot?.state === "starting", "run", "The robot is waking up.", "A command that is given now begins when it is ready.");
  band("lost", robot?.state === "lost", "bad", "The arm’s process is gone; the arm holds still.", "It is being started again. If this stays, look into the terminal of “tandem serve”.");
  if (robot?.latched) notice("latched", "bad", "The arm is stopped and holds still.", latchWords(robot), resetForm());
  else clearNotice("latched");
}

function band(key, shown, tone, text, fix) {
  if (shown) notice(key, tone, text, fix ?? "");
  else clearNotice(key);
}

const latchWords = (robot) => `${robot.latch_reason ? `Reason: ${robot.latch_reason}. ` : ""}Nothing moves until it is reset.`;

/** Not a dialog: a dialog would cover the stop button. */
function resetForm() {
  const reason = h("input", { id: "reset-reason", maxlength: 200, required: true, autocomplete: "off", placeholder: "e.g. looked, all clear" });
  const button = h("button", { type: "submit", text: "Reset" });
  const problem = h("span", { class: "problem", role: "alert" });
  const form = h("form", { class: "reset" }, h("label", { for: "reset-reason", text: "Why may it move again?" }), reason, button, problem);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      adoptRobot(await post("/v1/robot/reset", { reason: reason.value.trim() }));
      $("main").focus();
    } catch (error) {
      say(problem, [error.message, error.fix].filter(Boolean).join(" — "));
    }
    button.disabled = false;
  });
  return form;
}
