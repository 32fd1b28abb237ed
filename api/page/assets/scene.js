// What the robot sees, in words: the objects as perceived.

import { h } from "./dom.js";
import { count } from "./words.js";

/** The list of what is seen. */
export function sceneView() {
  const title = h("h2", { text: "Sees" });
  const list = h("ul", { class: "things" });
  const element = h("section", { class: "card scene", "aria-label": "What the robot sees", hidden: true }, title, list);
  let key = "";

  const update = ({ scene }) => {
    const told = JSON.stringify(scene?.objects?.map((o) => [o.id, o.place, o.on]).concat([[scene.held, scene.drawer?.opening_m > 0.02, scene.lamp?.lit]]));
    if (told === key) return;
    key = told;
    element.hidden = !scene?.seen_at && !scene?.objects?.length;
    if (element.hidden) return;
    title.textContent = scene.objects.length ? `Sees ${count(scene.objects.length, "object")}` : "Sees an empty table";
    list.replaceChildren(...scene.objects.map((object) => thing(object, scene.held)), ...furniture(scene));
  };
  return { element, update };
}

function thing(object, held) {
  const where = object.id === held ? "in the hand" : object.place ? `in the ${object.place.replaceAll("_", " ")}` : object.on ? `on the ${object.on.replaceAll("_", " ")}` : "";
  return h("li", {}, h("i", { data: { colour: object.colour } }), `${object.colour} ${object.category}`, where && h("span", { text: where }));
}

function furniture({ drawer, lamp }) {
  return [
    drawer && h("li", {}, "drawer", h("span", { text: drawer.opening_m > 0.02 ? "open" : "closed" })),
    lamp && h("li", {}, "lamp", h("span", { text: lamp.lit ? "on" : "off" })),
  ].filter(Boolean);
}
