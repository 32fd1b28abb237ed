"""How far two decisions of a kind are apart, in words and in one number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.decisions import Decision, decision_json
from agent.planner.protocol import Plan
from skills.scene import Scene
from vla_low_level.policy import PolicyOutput


@dataclass(frozen=True, slots=True)
class Difference:
    """What is different.

    Attributes:
        what: In a few words.
        distance: By how much, in `unit`; infinite where the two cannot be compared by a number.
        unit: `m`, `rad`, ...; empty where there is none.
    """

    what: str
    distance: float = math.inf
    unit: str = ""

    def __str__(self) -> str:
        far = f", by {self.distance:.3g} {self.unit}".rstrip() if math.isfinite(self.distance) else ""
        return self.what + far


def scene_difference(then: Scene, now: Scene) -> Difference | None:
    """Between two perceptions of one observation; None when they are equal to the last bit."""
    if then == now:
        return None
    ids = {item.id for item in then.objects}
    seen = {item.id for item in now.objects}
    if ids != seen:
        return Difference(f"objects: {_few(ids - seen)} gone, {_few(seen - ids)} new")
    for old in then.objects:
        new = now.get(old.id)
        if new is not None and (old.category, old.colour, old.place, old.on) != (
            new.category,
            new.colour,
            new.place,
            new.on,
        ):
            return Difference(f"{old.id} is another thing or elsewhere")
    pairs = [(old.position_m, new.position_m) for old in then.objects if (new := now.get(old.id))]
    far = max((math.dist(a, b) for a, b in pairs), default=0.0)
    if far:
        return Difference("positions", far, "m")
    sure = [(old.confidence, new.confidence) for old in then.objects if (new := now.get(old.id))]
    return Difference("confidences, yaws or fixtures", max((abs(a - b) for a, b in sure), default=0.0))


def decision_difference(then: Decision, now: Decision) -> Difference | None:
    """Between two decisions on one scene; None when they are equal, the log-probability included."""
    old, new = decision_json(then), decision_json(now)
    if old == new:
        return None
    if isinstance(then, Plan) and isinstance(now, Plan):
        before = [node.id for node in then.graph.nodes]
        after = [node.id for node in now.graph.nodes]
        if before != after:
            return Difference(
                f"plan: {_few(set(before) - set(after))} gone, {_few(set(after) - set(before))} new"
            )
        if {**old, "log_probability": 0} == {**new, "log_probability": 0}:
            return Difference(
                "the same plan, held as likely", abs(then.log_probability - now.log_probability)
            )
    return Difference(f"{_said(then)} is now {_said(now)}")


def output_difference(
    actions: NDArray[np.float32], progress: float, now: PolicyOutput, rows: int
) -> Difference | None:
    """Between two chunks from one observation; None when they are equal to the last bit."""
    new = now.chunk.actions[:rows]
    if new.shape != actions.shape:
        return Difference(f"{len(actions)} rows are now {len(new)}")
    gap = np.abs(new.astype(np.float64) - actions)
    if not gap.any():
        same = progress == now.progress
        return None if same else Difference("progress", abs(progress - now.progress))
    parts = (("position", gap[:, :3], "m"), ("rotation", gap[:, 3:6], "rad"), ("gripper", gap[:, 6:], ""))
    what, part, unit = max(parts, key=lambda p: float(p[1].max()))
    row = int(gap.max(1).argmax())
    return Difference(f"{what} of the chunk, row {row} most", float(part.max()), unit)


def _said(decision: Decision) -> str:
    told = decision_json(decision)
    return f"{told['kind']} {told.get('code') or ''}".strip()


def _few(names: set[str]) -> str:
    return ", ".join(sorted(names)[:5]) or "none"
