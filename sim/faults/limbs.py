"""Faults of motors, joints and fingers."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pybullet as p

from sim.faults.effect import F64, Effect
from sim.faults.spec import Fault
from sim.world import World
from vla_low_level.plant import CONTROL_HZ, PlantState

# A command below this closes; a hand that holds something is open further than this.
OPENED = 0.55
EMPTY = 0.03
FINGER_FRICTION = 1.0
# Up in the air: the height of the fingertips above which what is held hangs free, m.
LIFTED_M = 0.12


class FalseGrip(Effect):
    """Fingers that feel something where nothing is."""

    _closing = False

    def command(self, joint_rad: F64, gripper: float) -> tuple[F64, float]:
        """See what they are told."""
        self._closing = gripper < OPENED
        return joint_rad, gripper

    def read(self, state: PlantState) -> PlantState:
        """Never less open than so, while they are told to close."""
        felt = max(state.gripper_opening, self.size) if self._closing else state.gripper_opening
        return replace(state, gripper_opening=felt)


class WeakGrip(Effect):
    """Fingers without force."""

    def begin(self) -> None:
        """Take it away."""
        self.world.grip_share = self.size

    def end(self) -> None:
        """Give it back."""
        self.world.grip_share = 1.0


class WeakMotors(Effect):
    """An arm without torque."""

    def begin(self) -> None:
        """Take it away."""
        self.world.arm_share = self.size

    def end(self) -> None:
        """Give it back."""
        self.world.arm_share = 1.0


class GripDelay(Effect):
    """Fingers that are slow to hear."""

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        super().__init__(fault, world, seed)
        self._said: deque[float] = deque(maxlen=round(self.size * CONTROL_HZ) + 1)

    def command(self, joint_rad: F64, gripper: float) -> tuple[F64, float]:
        """What they were told then."""
        self._said.append(gripper)
        return joint_rad, self._said[0]


class MotorDelay(Effect):
    """A slow line to the motors."""

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        super().__init__(fault, world, seed)
        self._said: deque[tuple[F64, float]] = deque(maxlen=round(self.size * CONTROL_HZ) + 1)

    def command(self, joint_rad: F64, gripper: float) -> tuple[F64, float]:
        """What they were told then."""
        self._said.append((joint_rad, gripper))
        return self._said[0]


class StuckFingers(Effect):
    """Fingers that do not move any more."""

    _kept: float | None = None

    def command(self, joint_rad: F64, gripper: float) -> tuple[F64, float]:
        """What they were told first."""
        if self._kept is None:
            self._kept = gripper
        return joint_rad, self._kept


class Slip(Effect):
    """What is held slips out."""

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        super().__init__(fault, world, seed)
        self._kinematics = world.embodiment.kinematics()

    def ready(self, waited_s: float) -> bool:  # noqa: ARG002
        """Something hangs from the hand."""
        state = self.world.read()
        height = float(self._kinematics.forward(state.joint_position_rad)[0][2])
        return self.world.gripper_target < OPENED and state.gripper_opening > EMPTY and height > LIFTED_M

    def begin(self) -> None:
        """Grease."""
        self._friction(0.0)

    def end(self) -> None:
        """Dry again."""
        self._friction(FINGER_FRICTION)

    def _friction(self, value: float) -> None:
        for link in self.world.arm.fingers:
            p.changeDynamics(
                self.world.arm.body, link, lateralFriction=value, physicsClientId=self.world.client
            )


class StickyJoints(Effect):
    """Joints full of dirt."""

    def begin(self) -> None:
        """Damp them."""
        self._damp(self.size)

    def end(self) -> None:
        """Clean them."""
        self._damp(0.0)

    def _damp(self, value: float) -> None:
        for joint in self.world.arm.joints:
            p.changeDynamics(
                self.world.arm.body, joint, jointDamping=value, physicsClientId=self.world.client
            )


class StartPose(Effect):
    """An arm that was left elsewhere."""

    def place(self) -> None:
        """Put it there, at rest."""
        home = self.world.embodiment.home_rad
        joint_rad = home + self.size * self.rng.uniform(-1.0, 1.0, len(home))
        for joint, angle in zip(self.world.arm.joints, joint_rad, strict=True):
            p.resetJointState(self.world.arm.body, joint, angle, physicsClientId=self.world.client)
        self.world.rest(joint_rad, 1.0)


class Push(Effect):
    """Somebody leans on the hand."""

    def begin(self) -> None:
        """Draw from where."""
        angle = self.rng.uniform(-np.pi, np.pi)
        self._force = [self.size * float(np.cos(angle)), self.size * float(np.sin(angle)), 0.0]

    def step(self) -> None:
        """Push."""
        arm = self.world.arm
        state = p.getLinkState(arm.body, arm.hand, physicsClientId=self.world.client)
        p.applyExternalForce(
            arm.body, arm.hand, self._force, state[0], p.WORLD_FRAME, physicsClientId=self.world.client
        )
