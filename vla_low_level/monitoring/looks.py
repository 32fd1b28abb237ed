"""What pictures tell: dark, frozen, blurred, covered, or taken from somewhere else than at first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vla_low_level.monitoring.frames import Grey, ShiftFrom, changed, contrast, sharpness

F64 = NDArray[np.float64]

MIN_CONTRAST = 4.0
FIXED = "table"
"""The camera that does not move: what it sees may only change where something moves."""


class Looks:
    """Scores of the pictures that a policy uses, against the first of the attempt."""

    def __init__(self, moved_m: float = 0.01) -> None:
        self._moved_m = moved_m
        self._first: dict[str, tuple[Grey, ShiftFrom, float, float]] = {}
        self._last: dict[str, Grey] = {}
        self._last_hand_m: F64 | None = None

    def see(self, frames: Mapping[str, Grey]) -> dict[str, float]:
        """Scores of the pictures of one observation."""
        found: dict[str, float] = {}
        for camera, grey in frames.items():
            sharp, rich = sharpness(grey), float(np.log(contrast(grey) + 1.0))
            if camera == FIXED:
                known = self._first.get(camera) or (grey, ShiftFrom(grey), sharp, rich)
                first, shift, sharp_then, rich_then = self._first.setdefault(camera, known)
                found["view_shift"] = shift.px(grey)
                found["view_change"] = changed(first, grey)
                # Scenes differ more in this than a fault makes; one scene hardly changes by itself.
                sharp, rich = sharp - sharp_then, rich - rich_then
            found[f"sharpness_{camera}"], found[f"contrast_{camera}"] = sharp, rich
        return found

    def broken(self, frames: Mapping[str, Grey], hand_m: F64) -> tuple[str, float, float] | None:
        """Name, value and bound of a picture that is none of the present: blank, or the same as before.

        `hand_m` [3] is where the hand is, world: who has not moved may see the same again.
        """
        moved_m = 0.0 if self._last_hand_m is None else float(np.linalg.norm(hand_m - self._last_hand_m))
        last, self._last, self._last_hand_m = self._last, dict(frames), hand_m
        for camera, grey in frames.items():
            if (told := contrast(grey)) < MIN_CONTRAST:
                return f"blank_{camera}", told, MIN_CONTRAST
            same = camera in last and np.array_equal(last[camera], grey)
            if same and moved_m > self._moved_m:
                return f"frozen_{camera}", moved_m, self._moved_m
        return None
