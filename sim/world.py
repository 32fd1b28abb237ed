"""The simulated tabletop: a plant at 240 Hz, and the pictures of it."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import pybullet as p
from numpy.typing import NDArray

from sim import cameras
from sim.arm import FINGER_STROKE_M, GRIPPER_FORCE_N, add_arm
from sim.arms import embodiment
from sim.bodies import add_object, add_place, add_table, surface
from sim.furniture import Drawer, Lamp
from sim.scene import PlacedScene
from traces.errors import TandemError
from vla_low_level.observation import CameraImage
from vla_low_level.plant import CONTROL_HZ, PlantState
from vla_low_level.rotations import rotation_matrix

F64 = NDArray[np.float64]

SETTLE_STEPS = 120
# Above any speed that the limits allow.
MAX_FEED_RAD_S = 1.5
FIXED = {
    "overhead": (cameras.OVERHEAD, cameras.OVERHEAD_EYE, cameras.OVERHEAD_TARGET),
    "table": (cameras.TABLE, cameras.OVERHEAD_EYE, cameras.TABLE_TARGET),
    "front": (cameras.FRONT, cameras.FRONT_EYE, cameras.FRONT_TARGET),
}
# The wrist camera sits beside the hand and looks where the fingers point; tool axes, m.
WRIST_MOUNT = cameras.look_at((0.07, 0.0, 0.0), (0.0, 0.0, 0.12), up=(-1, 0, 0))
_POSE = struct.Struct("<7d")
_MARK = struct.Struct("<H")


def movable(placed: PlacedScene) -> tuple[str, ...]:
    """What can move in a scene, in the order of `World.marks`."""
    furniture = [name for name in ("drawer", "lamp") if getattr(placed, name)]
    return ("arm", *(item.id for item in placed.objects), *furniture)


class World:
    """A scene in PyBullet, DIRECT mode. Implements `vla_low_level.plant.Plant`.

    The same placement and the same commands give the same state, bit for bit, in any process of the
    same machine and PyBullet build.

    Attributes:
        light: Direction that light comes from.
        arm_share: Share of their torque that the arm's motors have.
        grip_share: Share of their force that the fingers have.
        gripper_target: What the fingers were told last, 0 closed .. 1 open.
    """

    def __init__(self, placed: PlacedScene) -> None:
        self.placed = placed
        self.client: int = p.connect(p.DIRECT)
        p.setGravity(0, 0, -9.81, physicsClientId=self.client)
        p.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / CONTROL_HZ,
            numSolverIterations=50,
            deterministicOverlappingPairs=1,
            physicsClientId=self.client,
        )
        add_table(self.client, placed.variation)
        self.embodiment = embodiment(placed.arm)
        self.arm = add_arm(self.client, self.embodiment)
        for fixture in placed.places:
            add_place(self.client, fixture)
        self.drawer = Drawer(self.client, placed.drawer) if placed.drawer else None
        self.lamp = Lamp(self.client, placed.lamp) if placed.lamp else None
        self.objects = {item.id: add_object(self.client, item, placed.variation) for item in placed.objects}
        self._loose = frozenset(self.objects.values())
        self.light = placed.light
        self.arm_share = self.grip_share = self.gripper_target = 1.0
        self._steps = 0
        self._target = self.embodiment.home_rad.copy()
        for _ in range(SETTLE_STEPS):
            self.command(self.embodiment.home_rad, 1.0)
            p.stepSimulation(physicsClientId=self.client)

    @property
    def time_s(self) -> float:
        """Simulated time since the start, s."""
        return self._steps / CONTROL_HZ

    def read(self) -> PlantState:
        """Measure joints, fingers and contacts."""
        values = self._joint_states()
        opening = float(values[-2:, 0].sum() / (2 * FINGER_STROKE_M))
        return PlantState(
            joint_position_rad=values[:-2, 0].copy(),
            joint_velocity_rad_s=values[:-2, 1].copy(),
            gripper_opening=min(1.0, max(0.0, opening)),
            contact_force_n=self._contact_force_n(),
        )

    def command(self, joint_target_rad: F64, gripper_target: float) -> None:
        """Overwrite every motor target, with the target's own velocity as feed-forward."""
        velocity = (joint_target_rad - self._target) * CONTROL_HZ
        if np.abs(velocity).max() > MAX_FEED_RAD_S:
            # A jump, as when a stop overwrites the targets with the measured pose, is no motion to follow.
            velocity = np.zeros_like(velocity)
        self._target, self.gripper_target = joint_target_rad.copy(), gripper_target
        p.setJointMotorControlArray(
            self.arm.body,
            self.arm.joints,
            p.POSITION_CONTROL,
            targetPositions=joint_target_rad.tolist(),
            targetVelocities=velocity.tolist(),
            forces=[torque * self.arm_share for torque in self.embodiment.torque_n_m],
            positionGains=[0.15] * len(self.arm.joints),
            velocityGains=[1.0] * len(self.arm.joints),
            physicsClientId=self.client,
        )
        finger = gripper_target * FINGER_STROKE_M
        p.setJointMotorControlArray(
            self.arm.body,
            self.arm.fingers,
            p.POSITION_CONTROL,
            targetPositions=[finger, finger],
            forces=[GRIPPER_FORCE_N * self.grip_share] * 2,
            positionGains=[0.05] * 2,
            physicsClientId=self.client,
        )

    def exchange(self, name: str, body: int) -> None:
        """Let another body be an object; the old one is removed, its friction kept."""
        old = self.objects[name]
        p.removeBody(old, physicsClientId=self.client)
        surface(self.client, body, friction=self.placed.variation.friction)
        self.objects[name] = body
        self._loose = frozenset(self.objects.values())

    def rest(self, joint_rad: F64, gripper: float) -> None:
        """Take a pose that the arm was put into from outside as the one it is commanded to."""
        self._target = joint_rad.copy()
        self.command(joint_rad, gripper)

    def step(self) -> None:
        """Advance by one control period."""
        p.stepSimulation(physicsClientId=self.client)
        self._steps += 1
        if self.lamp:
            self.lamp.step()

    def capture(self, names: Sequence[str]) -> dict[str, CameraImage]:
        """Take pictures. Raises `TandemError` (`CAMERA_UNKNOWN`)."""
        return {name: cameras.render(self.client, *self.view(name), self.light) for name in names}

    def view(self, name: str) -> tuple[cameras.Camera, F64]:
        """A camera, and its pose to the world [4, 4] now. Raises `TandemError` (`CAMERA_UNKNOWN`)."""
        if name == "wrist":
            return cameras.WRIST, self._hand_pose() @ WRIST_MOUNT
        if name not in FIXED:
            raise TandemError(
                "CAMERA_UNKNOWN", f"no camera called {name!r}", fix=f"use {', '.join(FIXED)} or wrist"
            )
        camera, eye, target = FIXED[name]
        return camera, self._off(cameras.look_at(eye, target))

    def state_hash(self) -> str:
        """sha256 of every position and velocity, float64, in creation order."""
        digest = hashlib.sha256()
        for body in (self.arm.body, *self.objects.values()):
            pose = p.getBasePositionAndOrientation(body, physicsClientId=self.client)
            speed = p.getBaseVelocity(body, physicsClientId=self.client)
            digest.update(np.array([*pose[0], *pose[1], *speed[0], *speed[1]]).tobytes())
        digest.update(self._joint_states().tobytes())
        for furniture in (self.drawer, self.lamp):
            if furniture:
                digest.update(np.array(furniture.state).tobytes())
        return digest.hexdigest()

    def marks(self) -> bytes:
        """Two bytes of the checksum of each pose, as `movable` names them: they tell where two runs part."""
        poses = [
            p.getBasePositionAndOrientation(b, physicsClientId=self.client) for b in self.objects.values()
        ]
        states = [self._joint_states().tobytes(), *(_POSE.pack(*at, *turned) for at, turned in poses)]
        states += [np.array(item.state).tobytes() for item in (self.drawer, self.lamp) if item]
        return b"".join(_MARK.pack(zlib.crc32(state) & 0xFFFF) for state in states)

    def close(self) -> None:
        """Free the physics server. Idempotent."""
        if self.client >= 0:
            p.disconnect(physicsClientId=self.client)
            self.client = -1

    def _off(self, pose: F64) -> F64:
        """A fixed camera's true pose: a little off the nominal one in a varied world."""
        variation = self.placed.variation
        pose[:3, :3] = pose[:3, :3] @ rotation_matrix(np.array(variation.camera_turn_rad))
        pose[:3, 3] += variation.camera_shift_m
        return pose

    def _joint_states(self) -> F64:
        """Position and velocity [dof + 2, 2] of the arm's joints, rad, and of the fingers, m."""
        indices = (*self.arm.joints, *self.arm.fingers)
        states = p.getJointStates(self.arm.body, indices, physicsClientId=self.client)
        return np.array([state[:2] for state in states])

    def _hand_pose(self) -> F64:
        """Hand to world [4, 4]."""
        state = p.getLinkState(
            self.arm.body, self.arm.hand, computeForwardKinematics=1, physicsClientId=self.client
        )
        pose = np.eye(4)
        pose[:3, :3] = np.array(p.getMatrixFromQuaternion(state[5])).reshape(3, 3)
        pose[:3, 3] = state[4]
        return pose

    def _contact_force_n(self) -> float:
        """Largest force on the arm, what the fingers grip left out."""
        force = 0.0
        for contact in p.getContactPoints(bodyA=self.arm.body, physicsClientId=self.client):
            gripped = contact[3] in self.arm.fingers and contact[2] in self._loose
            if not gripped and contact[2] != self.arm.body:
                force = max(force, contact[9])
        return force
