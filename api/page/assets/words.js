// How the page says things: states, steps, scores, times.

const STATES = {
  accepted: ["Waiting", "idle"],
  executing: ["Working", "run"],
  needs_help: ["Needs your answer", "ask"],
  cancelling: ["Cancelling", "idle"],
  succeeded: ["Done", "ok"],
  failed: ["Failed", "bad"],
  aborted: ["Failed", "bad"],
  stopped: ["Stopped", "bad"],
  cancelled: ["Cancelled", "idle"],
  refused: ["Refused", "ask"],
  interrupted: ["Interrupted", "ask"],
  unfinished: ["Unfinished", "ask"],
};

/** Word and tone of a command's state, or of a run's outcome. */
export function stateWords(state, outcome = "") {
  if (state === "aborted" && outcome === "needs_help") return ["Unanswered", "ask"];
  const [word, tone] = STATES[state === "aborted" && outcome ? outcome : state] ?? [state, "idle"];
  return [word, tone];
}

/** Word and tone of how a run ended. */
export const outcomeWords = (outcome) => (outcome === "needs_help" ? ["Unanswered", "ask"] : stateWords(outcome));

const ROBOT = {
  starting: ["Starting", "idle"],
  ready: ["Ready", "ok"],
  moving: ["Moving", "run"],
  stopped: ["Stopped", "bad"],
  lost: ["Arm lost", "bad"],
};

/** Word and tone of the robot's state. */
export function robotWords(robot, asks) {
  if (robot.latched) return ROBOT.stopped;
  if (asks) return ["Asks you", "ask"];
  return ROBOT[robot.state] ?? [robot.state, "idle"];
}

const NODES = { pending: "to do", running: "running", halted: "broken off", done: "done", failed: "failed" };

/** A node's status in words. */
export const nodeWords = (status) => NODES[status] ?? status;

const DOING = {
  pick: () => "pick up",
  place: ({ place }) => `place in ${plain(place)}`,
  stack: ({ base }) => `stack on ${plain(base)}`,
  push: ({ side }) => `push to ${plain(side)}`,
  press: ({ switch: to }) => `press for ${plain(to)}`,
};
const FURNITURE = { open_drawer: "drawer", close_drawer: "drawer", press: "lamp" };

const plain = (name) => String(name ?? "").replaceAll("_", " ").trim();

/** A step as [what it is about, what is done]; `others` are the steps of the same plan. */
export function stepWords({ id, skill, subgoal, arguments: told = {} }, others = []) {
  const about = told.object ?? FURNITURE[skill];
  if (!about || !skill) return [capital(subgoal || plain(id)), ""];
  return [capital(thing(about, others)), DOING[skill]?.(told) ?? plain(skill).split(" ")[0]];
}

/** An object's id in words; its number only where the plan has another one like it. */
function thing(id, others) {
  const stem = id.replace(/_\d+$/, "");
  const twin = others.some((node) => node.arguments?.object?.replace(/_\d+$/, "") === stem && node.arguments.object !== id);
  return plain(twin ? id : stem);
}

/** A step in one line. */
export function stepLine(node, others) {
  const [about, doing] = stepWords(node, others);
  const [verb, ...where] = doing.split(/ (?=in |on |to |for )/);
  const rest = where.map((words) => words.replace(/^(in|on|to) /, "$1 the "));
  return doing ? capital([verb, "the", about.toLowerCase(), ...rest].join(" ")) : about;
}

const SCORES = {
  ood: "OOD",
  aim_m: "Aim",
  tracking_m: "Tracking",
  still_s: "Standing still",
  time_s: "Time",
  clamped_share: "Clamped",
};

/** The line that a score belongs to: what the calibrated monitor finds strangest changes, its currency does not. */
export const scoreKey = (name) => (/^monitor(_|$)/.test(name) ? "ood" : name);

/** A score's name. */
export const scoreWords = (name) => SCORES[name] ?? capital(name.replace(/_(m|s|share)$/, "").replaceAll("_", " "));

/** A score that is worth a word, against its threshold; of the guard the name says all. */
export function scoreLine(name, score, threshold) {
  if (name.startsWith("guard")) return `Guard: ${name.replace(/^guard_?/, "").replaceAll("_", " ") || "intervened"}`;
  const what = name.startsWith("monitor_") ? ` (${name.slice(8).replaceAll("_", " ")})` : "";
  return `${scoreWords(scoreKey(name))} ${scoreValue(name, score)}, threshold ${scoreValue(name, threshold)}${what}`;
}

/** A score's value, in a unit one can read. */
export function scoreValue(name, value) {
  if (!Number.isFinite(value)) return "–";
  if (name.endsWith("_m")) return `${Math.round(value * 1000)} mm`;
  if (name.endsWith("_s")) return `${value.toFixed(1)} s`;
  if (name.endsWith("_share")) return `${Math.round(value * 100)} %`;
  return value.toPrecision(2);
}

const PLANS = {
  recheck: "because things are left",
  postcondition: "because something failed",
  proof: "because the last one could not work",
  human: "as you said",
};

/** Why a plan was made; empty for the first. */
export const planWords = (reason) => PLANS[reason] ?? "";

/** With a capital. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** "1 step", "3 steps". */
export const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** Seconds as 9.5 s or 2:05 min. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}

/** When something was: the time today, else the date too. */
export function when(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}
