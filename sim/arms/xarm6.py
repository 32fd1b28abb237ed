"""UFACTORY xArm 6, 6 joints, with the Panda's hand on its flange; it stands a little nearer to the table."""

from __future__ import annotations

import numpy as np

from sim.arms.urdf import TOOL_LINK, data_folder, with_hand
from vla_low_level.embodiment import Embodiment
from vla_low_level.limits import XARM6

FLANGE_M = (0.0, 0.0, 0.0)
BASE_M = (0.11, 0.0, 0.12)


def xarm6() -> Embodiment:
    """At home the hand points down at (0.34, 0, 0.42), fingers along world y."""
    folder = data_folder() / "xarm"
    meshes = folder / "xarm_description" / "meshes" / "xarm6" / "collision"
    return Embodiment(
        name="xarm6",
        urdf=with_hand(folder / "xarm6_robot.urdf", meshes, "link6", FLANGE_M, (0.0, 0.0, 0.0), BASE_M),
        tool_link=TOOL_LINK,
        arm_joints=tuple(f"joint{k}" for k in range(1, 7)),
        home_rad=np.array([0.0, -0.9317, -0.4803, 0.0, 1.412, 0.0]),
        torque_n_m=(50.0, 50.0, 32.0, 32.0, 32.0, 20.0),
        limits=XARM6,
    )
