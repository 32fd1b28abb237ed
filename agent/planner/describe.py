"""Telling alike things apart in words."""

from __future__ import annotations

from collections.abc import Sequence

from skills.scene import SceneObject


def whereabouts(items: Sequence[SceneObject]) -> tuple[str, ...]:
    """A label for each object that no other has: what it is, and where among the others.

    Left and right are as the robot sees them, +y being left; near is near the robot.
    """
    labels = []
    for item in items:
        place = f" in the {item.place.phrase}" if item.place else ""
        labels.append(f"{item.phrase}{place}{_side(item, items)}")
    counted: dict[str, int] = {}
    unique = []
    for label in labels:
        counted[label] = counted.get(label, 0) + 1
        unique.append(label if labels.count(label) == 1 else f"{label} ({counted[label]})")
    return tuple(unique)


def _side(item: SceneObject, items: Sequence[SceneObject]) -> str:
    """The most telling direction in which it differs from the others of its looks."""
    alike = [o for o in items if o.phrase == item.phrase and o.place is item.place]
    if len(alike) < 2:
        return ""
    spread = [max(o.position_m[k] for o in alike) - min(o.position_m[k] for o in alike) for k in (0, 1)]
    axis, words = (1, ("right", "left")) if spread[1] >= spread[0] else (0, ("near", "far"))
    rank = sorted(o.position_m[axis] for o in alike).index(item.position_m[axis])
    if rank == 0:
        return f" on the {words[0]}" if axis else f", the {words[0]} one"
    if rank == len(alike) - 1:
        return f" on the {words[1]}" if axis else f", the {words[1]} one"
    return " in the middle"
