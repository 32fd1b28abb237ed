"""KUKA LBR iiwa 14, 7 joints, with the Panda's hand on its flange."""

from __future__ import annotations

import math

import numpy as np

from sim.arms.urdf import TOOL_LINK, data_folder, with_hand
from vla_low_level.embodiment import Embodiment
from vla_low_level.limits import KUKA_IIWA

FLANGE_M = (0.0, 0.0, 0.045)
BASE_M = (-0.03, 0.0, 0.0)


def kuka_iiwa() -> Embodiment:
    """At home the hand points down at (0.36, 0, 0.42), fingers along world y."""
    folder = data_folder() / "kuka_iiwa"
    return Embodiment(
        name="kuka_iiwa",
        urdf=with_hand(
            folder / "model.urdf", folder / "meshes", "lbr_iiwa_link_7", FLANGE_M, (0.0, 0.0, math.pi), BASE_M
        ),
        tool_link=TOOL_LINK,
        arm_joints=tuple(f"lbr_iiwa_joint_{k}" for k in range(1, 8)),
        home_rad=np.array([0.0, 0.027, 0.0, -1.8718, 0.0, 1.2428, 0.0]),
        torque_n_m=(176.0, 176.0, 110.0, 110.0, 110.0, 40.0, 40.0),
        limits=KUKA_IIWA,
        inner_m=0.41,
    )
