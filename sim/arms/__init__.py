"""The arms that can stand at the table: one file each, a URDF and an `Embodiment`.

A fourth arm is one more file here and one more line in `ARMS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from sim.arms.kuka_iiwa import kuka_iiwa
from sim.arms.panda import panda
from sim.arms.xarm6 import xarm6
from traces.errors import TandemError
from vla_low_level.embodiment import Embodiment

ARMS: Mapping[str, Callable[[], Embodiment]] = MappingProxyType(
    {"panda": panda, "kuka_iiwa": kuka_iiwa, "xarm6": xarm6}
)


@cache
def embodiment(name: str) -> Embodiment:
    """The arm of this name. Raises `TandemError` (`ARM_UNKNOWN`)."""
    if name not in ARMS:
        raise TandemError("ARM_UNKNOWN", f"no arm called {name!r}", fix=f"use one of {', '.join(ARMS)}")
    return ARMS[name]()
