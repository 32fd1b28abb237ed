// Where the boxes of a skill graph go: layers from left to right, a chain on one row.

const BEND = 0.3; // the room of a line that passes through a layer, in rows

/**
 * Lay a directed acyclic graph out.
 * @param {string[]} ids in the graph's order
 * @param {[string, string][]} edges earlier, later
 * @returns {{layers: number, rows: number, at: Map<string, {layer: number, row: number}>, lines: Point[][]}}
 *   `lines` are runs of points {layer, row, joint?}, in box units, from one box to another or to a joint.
 */
export function layered(ids, edges) {
  const reduced = reduce(ids, edges);
  const layerOf = depths(ids, reduced);
  const parts = [...bundles(reduced, layerOf)];
  const slots = ids.map((id) => ({ id, layer: layerOf.get(id), before: [], room: 1 }));
  const slotOf = new Map(slots.map((slot) => [slot.id, slot]));
  const lines = parts.flatMap((part) => route(part, slotOf, slots));
  place(slots);
  const layers = 1 + Math.max(0, ...slots.map((slot) => slot.layer));
  const rows = Math.max(1, ...slots.map((slot) => slot.row + slot.room));
  return { layers, rows, at: new Map(ids.map((id) => [id, slotOf.get(id)])), lines };
}

/** Without edges that follow from others. */
function reduce(ids, edges) {
  const next = new Map(ids.map((id) => [id, new Set()]));
  for (const [a, b] of edges) if (next.has(a) && next.has(b) && a !== b) next.get(a).add(b);
  const reach = new Map();
  const beyond = (id) => {
    if (!reach.has(id)) {
      reach.set(id, new Set()); // also ends a cycle, which a checked graph does not have
      const found = new Set();
      for (const b of next.get(id)) for (const c of [b, ...beyond(b)]) found.add(c);
      reach.set(id, found);
    }
    return reach.get(id);
  };
  return ids.flatMap((a) => {
    const direct = [...next.get(a)];
    return direct.filter((b) => !direct.some((c) => c !== b && beyond(c).has(b))).map((b) => [a, b]);
  });
}

/** The layer of each: the longest way to it. */
function depths(ids, edges) {
  const before = new Map(ids.map((id) => [id, []]));
  for (const [a, b] of edges) before.get(b).push(a);
  const layer = new Map();
  const depth = (id) => {
    if (!layer.has(id)) {
      layer.set(id, 0);
      layer.set(id, before.get(id).reduce((most, a) => Math.max(most, depth(a) + 1), 0));
    }
    return layer.get(id);
  };
  ids.forEach(depth);
  return layer;
}

/** Edges, with "all of these before all of those" gathered into one part that meets in a joint. */
function* bundles(edges, layerOf) {
  const after = new Map(), before = new Map();
  for (const [a, b] of edges) {
    after.set(a, [...(after.get(a) ?? []), b]);
    before.set(b, [...(before.get(b) ?? []), a]);
  }
  const done = new Set();
  for (const [a, targets] of after) {
    const sources = before.get(targets[0]);
    const key = (list) => list.join("\n");
    const whole = sources.length > 1 && targets.length > 1 &&
      sources.every((x) => key(after.get(x)) === key(targets)) && targets.every((y) => key(before.get(y)) === key(sources));
    if (!whole) for (const b of targets) yield { sources: [a], targets: [b] };
    else if (!done.has(key(sources))) {
      done.add(key(sources));
      yield { sources, targets, joint: Math.min(...targets.map((y) => layerOf.get(y))) };
    }
  }
}

/** The lines of one part; a line over several layers gets a slot in each, so that boxes make room. */
function route({ sources, targets, joint }, slotOf, slots) {
  const through = (a, b, first, last) => {
    let previous = a;
    const bends = [];
    for (let layer = first; layer < last; layer += 1) {
      const bend = { layer, before: [previous], room: BEND };
      slots.push(bend);
      bends.push(bend);
      previous = bend;
    }
    b?.before.push(previous);
    return bends;
  };
  if (joint === undefined) {
    const [a, b] = [slotOf.get(sources[0]), slotOf.get(targets[0])];
    return [[a, ...through(a, b, a.layer + 1, b.layer), b]];
  }
  const from = sources.map((id) => slotOf.get(id)), to = targets.map((id) => slotOf.get(id));
  const knot = { joint: true, get layer() { return joint; }, get row() { return mean(to.map(centre)) - 0.5; } };
  for (const b of to) b.before.push(...from);
  return [
    ...from.map((a) => [a, ...through(a, null, a.layer + 1, joint), knot]),
    ...to.map((b) => [knot, ...through(from[0], null, joint, b.layer), b]),
  ];
}

const mean = (list) => list.reduce((sum, x) => sum + x, 0) / list.length;
const centre = (slot) => slot.row + slot.room / 2;

/** Rows, layer by layer: each as near as it can be to what it waits for. */
function place(slots) {
  const last = Math.max(0, ...slots.map((slot) => slot.layer));
  for (let layer = 0; layer <= last; layer += 1) {
    const here = slots.filter((slot) => slot.layer === layer);
    here.forEach((slot, k) => {
      slot.wish = slot.before.length ? mean(slot.before.map(centre)) - slot.room / 2 : null;
      slot.order = k;
    });
    here.sort((a, b) => (a.wish ?? Infinity) - (b.wish ?? Infinity) || a.order - b.order);
    let free = 0;
    for (const slot of here) {
      slot.row = Math.max(slot.wish ?? 0, free);
      free = slot.row + slot.room;
    }
    recentre(here.filter((slot) => slot.wish !== null), here);
  }
  const top = Math.min(0, ...slots.map((slot) => slot.row));
  for (const slot of slots) slot.row -= top;
}

/** Slots that wish for the same place are pushed down only; move them back up by half of that. */
function recentre(wishing, here) {
  if (!wishing.length || wishing.length !== here.length) return;
  const shift = mean(wishing.map((slot) => slot.row - slot.wish));
  for (const slot of here) slot.row -= shift;
}
