"""Franka Panda (FER), 7 joints, with its own hand."""

from __future__ import annotations

import numpy as np

from sim.arms.urdf import TOOL_LINK, panda_urdf
from vla_low_level.embodiment import Embodiment
from vla_low_level.limits import PANDA


def panda() -> Embodiment:
    """At home the hand points down at (0.31, 0, 0.49), fingers along world y."""
    return Embodiment(
        name="panda",
        urdf=panda_urdf(),
        tool_link=TOOL_LINK,
        arm_joints=tuple(f"panda_joint{k}" for k in range(1, 8)),
        home_rad=np.array([0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4]),
        torque_n_m=(87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0),
        limits=PANDA,
    )
