// The page's picture of the server: robot, commands and their work, kept up to date by one event stream.

import { get } from "./api.js";
import { follow, read } from "./stream.js";
import { fold, nothing } from "./work.js";

const QUIET_MS = 800; // a catching-up stream that says nothing for so long has told all there was

export const TERMINAL = new Set(["succeeded", "aborted", "cancelled", "refused", "interrupted"]);
const AT_WORK = new Set(["executing", "needs_help", "cancelling"]);

/** The state; views read it and never write. `link` is "connecting", "live" or "lost". */
export const session = { link: "connecting", robot: null, scene: null, commands: new Map(), works: new Map(), error: null };

const listeners = new Set();
let drawn = false;

/** Call `listener` after changes, at most once a frame. */
export function watch(listener) {
  listeners.add(listener);
  listener(session);
}

function changed() {
  if (drawn) return;
  drawn = true;
  // A hidden tab gets no frames, yet must not fall behind.
  const later = document.hidden ? (run) => setTimeout(run, 250) : requestAnimationFrame;
  later(() => {
    drawn = false;
    for (const listener of listeners) listener(session);
  });
}

const newestFirst = () => [...session.commands.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));

/** The command at work, else the one that has ended last, else the first that waits. */
export function shownCommand() {
  const all = newestFirst();
  const ended = all.filter((c) => TERMINAL.has(c.state)).sort((a, b) => (a.ended_at < b.ended_at ? 1 : -1));
  return all.find((c) => AT_WORK.has(c.state)) ?? ended[0] ?? all.at(-1) ?? null;
}

/** Commands that wait, in their order. */
export const waitingCommands = () => newestFirst().filter((c) => c.state === "accepted").reverse();

/** What is known of a command's work. */
export const workOf = (command) => session.works.get(command?.id) ?? nothing();

/** Take in a command as a response told it; where the stream is up it knows better, and may already be further. */
export function adopt(command) {
  if (session.link === "live" && session.commands.has(command.id)) return;
  session.commands.set(command.id, command);
  changed();
}

/** Take in the robot as a response told it. */
export function adoptRobot(robot) {
  session.robot = robot;
  changed();
}

/** Begin to follow the server. */
export function begin() {
  follow("/v1/events", { onEvent: take, onLink: linked });
}

async function linked(link) {
  session.link = link;
  changed();
  if (link === "live") await refresh();
}

/** Read what stands; again after a gap, since events alone then do not tell all. */
async function refresh() {
  try {
    const [robot, listed, scene] = await Promise.all([get("/v1/robot"), get("/v1/commands?limit=30"), get("/v1/scene")]);
    Object.assign(session, { robot, scene, error: null });
    session.commands = new Map(listed.commands.map((command) => [command.id, command]));
    const shown = shownCommand();
    if (shown) await catchUp(shown.id);
  } catch (error) {
    session.error = error;
  }
  changed();
}

function take(event) {
  if (event.type === "gap") {
    session.works.clear();
    refresh();
    return;
  }
  if (event.type === "robot") session.robot = event.data;
  if (event.type === "scene") session.scene = event.data;
  if (event.type === "command") session.commands.set(event.data.id, event.data);
  if (event.command) takeWork(event);
  changed();
}

const catching = new Map(); // command id → events that came meanwhile

function takeWork(event) {
  const id = event.command;
  if (catching.has(id)) catching.get(id).push(event);
  else {
    if (!session.works.has(id)) session.works.set(id, nothing());
    fold(session.works.get(id), event);
  }
}

/** Read a command's events from their beginning up to where the main stream has taken over. */
async function catchUp(id) {
  if (catching.has(id)) return;
  const work = nothing(), quiet = new AbortController(), meanwhile = [];
  catching.set(id, meanwhile);
  if (!session.works.has(id)) session.works.set(id, work);
  let timer = setTimeout(() => quiet.abort(), 4 * QUIET_MS);
  try {
    for await (const event of read(`/v1/commands/${id}/events`, { signal: quiet.signal })) {
      if (meanwhile.length && event.seq >= meanwhile[0].seq) break;
      fold(work, event);
      changed();
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), QUIET_MS);
    }
  } catch {
    // Ended by the silence, or broken off: the main stream goes on either way.
  }
  clearTimeout(timer);
  for (const event of meanwhile) fold(work, event);
  session.works.set(id, work);
  catching.delete(id);
  changed();
}
