"""One arm with its hand: all that the same action chunk needs to know to move it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import Limits

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Embodiment:
    """An arm, fixed to the table, with a two-finger hand.

    Chunks are deltas of the tool centre point, so a policy need not know any of this; what it is told is
    the name, because arms look different and stand differently in its images.

    Attributes:
        name: One word, as it stands in traces, datasets and configurations.
        urdf: The model's text; its root link stands at the world's origin.
        tool_link: The tool centre point: z out of the hand, y along the fingers' opening.
        arm_joints: Names of the revolute joints, base to hand.
        home_rad: float64 [dof], hand pointing down in front of the robot, clear of the table.
        torque_n_m: Largest motor torque of each joint.
        limits: What the guard enforces.
        inner_m: Nearer to the base's axis than this the hand cannot point down: the elbow is folded.
    """

    name: str
    urdf: str
    tool_link: str
    arm_joints: tuple[str, ...]
    home_rad: F64
    torque_n_m: tuple[float, ...]
    limits: Limits
    inner_m: float = 0.0

    def __post_init__(self) -> None:
        sizes = {
            len(self.arm_joints),
            len(self.home_rad),
            len(self.torque_n_m),
            self.limits.joint_low_rad.size,
        }
        if len(sizes) != 1:
            raise ValueError(
                f"{self.name}: joints, home, torques and limits must have one length, got {sizes}"
            )
        self.home_rad.setflags(write=False)

    def kinematics(self) -> Kinematics:
        """The chain from the base to the tool. Raises ValueError when the URDF has no such chain."""
        return Kinematics.from_urdf(self.urdf, self.tool_link)
