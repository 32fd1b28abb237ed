"""Faults of an arm that is not where it believes itself to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.faults.effect import F64, Effect
from sim.faults.spec import Fault
from sim.world import World
from vla_low_level.plant import PlantState


class _Misread(Effect):
    """The arm goes wrong, and feels right. Subclasses say by how much it believes otherwise."""

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        super().__init__(fault, world, seed)
        self._kinematics = world.embodiment.kinematics()

    def bias(self, joint_rad: F64) -> F64:
        """What is believed less what is so [dof], rad, in a pose [dof]."""
        raise NotImplementedError

    def command(self, joint_rad: F64, gripper: float) -> tuple[F64, float]:
        """The motors turn until the wrong measurement shows what was asked for."""
        return joint_rad - self.bias(joint_rad), gripper

    def read(self, state: PlantState) -> PlantState:
        """What is believed."""
        believed = state.joint_position_rad + self.bias(state.joint_position_rad)
        return replace(state, joint_position_rad=believed)

    def told(self, view: str, pose: F64) -> F64:
        """The hand's camera is where the hand is believed to be."""
        if view != "wrist":
            return pose
        joint = self.world.read().joint_position_rad
        real, believed = (self._tool(j) for j in (joint, joint + self.bias(joint)))
        return np.asarray(believed @ np.linalg.inv(real) @ pose)

    def _tool(self, joint_rad: F64) -> F64:
        pose = np.eye(4)
        pose[:3, 3], pose[:3, :3], _ = self._kinematics.forward(joint_rad)
        return pose


class EncoderBias(_Misread):
    """Joints that are not where they are measured to be."""

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        super().__init__(fault, world, seed)
        self._bias = self.size * self.rng.choice((-1.0, 1.0), len(world.arm.joints))

    def bias(self, joint_rad: F64) -> F64:  # noqa: ARG002
        """The same in every pose."""
        return self._bias


class ToolOffset(_Misread):
    """A hand that was bent aside, or mounted a little off."""

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        super().__init__(fault, world, seed)
        angle = self.rng.uniform(-np.pi, np.pi)
        self._off_m = self.size * np.array([np.cos(angle), np.sin(angle), 0.0])

    def bias(self, joint_rad: F64) -> F64:
        """What takes the believed hand back from the real one, to first order; fixed in the hand's frame."""
        _, turned, jacobian = self._kinematics.forward(joint_rad)
        aside = np.concatenate([turned @ self._off_m, np.zeros(3)])
        return np.asarray(-np.linalg.pinv(jacobian) @ aside)
