"""Has the camera been moved? Fixtures stay where they are: if all seem to have moved alike, it has."""

from __future__ import annotations

import numpy as np

from skills.scene import Scene
from vla_low_level.monitor import Finding, Level

# Fixtures are perceived to 1.6 mm (95 %); their median is steadier still.
WARN_M, ALARM_M = 0.006, 0.015
# They must agree to this, or it was they that were moved.
ALIKE_M = 0.01
LEAST = 3


def camera_moved(before: Scene | None, now: Scene) -> Finding:
    """How far the fixtures have moved between two looks, all to the same side, m; 0 where they do not agree.

    A camera whose calibration is the old one sees everything beside its place by what it was moved or turned.
    """
    known = {region.place: region.centre_m for region in before.places} if before else {}
    both = [(known[region.place], region.centre_m) for region in now.places if region.place in known]
    moved_m = 0.0
    if len(both) >= LEAST:
        ways = np.array([np.subtract(there[:2], here[:2]) for here, there in both])
        common = np.median(ways, axis=0)
        if np.median(np.linalg.norm(ways - common, axis=1)) <= ALIKE_M:
            moved_m = float(np.linalg.norm(common))
    level = Level.ALARM if moved_m > ALARM_M else Level.WARN if moved_m > WARN_M else Level.OK
    return Finding("camera_moved_m", level, moved_m, ALARM_M if moved_m > ALARM_M else WARN_M)
