// The live page: command box, cameras, the command at work.

import { cameras } from "./cameras.js";
import { commandBox } from "./command.js";
import { h } from "./dom.js";
import { recentRuns } from "./history.js";
import { nowCard } from "./now.js";
import { questionCard } from "./question.js";
import { sceneView } from "./scene.js";
import { session, shownCommand, TERMINAL, watch } from "./session.js";

const TICK_MS = 500;

/** The page. */
export function livePage() {
  const box = commandBox(), question = questionCard(), views = cameras(), now = nowCard(), scene = sceneView(), recent = recentRuns();
  const element = h("div", { class: "live" },
    h("h1", { class: "unseen", text: "Live" }),
    box.element, question.element,
    h("div", { class: "left" }, views.element, scene.element, recent.element),
    h("div", { class: "right" }, now.element));
  let shown = false, ended = "";

  const update = () => {
    if (!shown) return;
    const command = shownCommand();
    for (const part of [box, views, now, scene]) part.update(session);
    question.update(command);
    const key = command && TERMINAL.has(command.state) ? command.id : "";
    if (key && key !== ended) recent.load();
    ended = key;
  };
  watch(update);
  setInterval(() => {
    const command = shownCommand();
    if (command && !TERMINAL.has(command.state)) update(); // clocks go on between events
  }, TICK_MS);

  return {
    element,
    show() {
      shown = true;
      update();
      views.start();
      recent.load();
      if (matchMedia("(hover: hover)").matches) box.focus(); // on a phone the keyboard would cover the page
    },
    hide() {
      shown = false;
      views.stop();
    },
  };
}
