"""Any arm with the Panda's hand, as a PyBullet body."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

import pybullet as p

from sim.arms.urdf import FINGER_JOINTS, HAND_LINK
from vla_low_level.embodiment import Embodiment

FINGER_STROKE_M = 0.04
GRIPPER_FORCE_N = 40.0
LIGHT, DARK = (0.93, 0.93, 0.95, 1.0), (0.35, 0.35, 0.37, 1.0)
TINTS = {"kuka_iiwa": (0.95, 0.55, 0.25, 1.0)}


@dataclass(frozen=True, slots=True)
class Arm:
    """A loaded arm.

    Attributes:
        body: PyBullet's number of it.
        joints: Indices of the arm's joints, base to hand.
        fingers: Indices of the two finger joints, which are their links' as well.
        hand: Index of the hand's link.
    """

    body: int
    joints: tuple[int, ...]
    fingers: tuple[int, ...]
    hand: int


def add_arm(client: int, embodiment: Embodiment) -> Arm:
    """Load an arm at home, fingers open."""
    handle, path = tempfile.mkstemp(suffix=".urdf")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(embodiment.urdf)
        body: int = p.loadURDF(path, useFixedBase=True, physicsClientId=client)
    finally:
        os.unlink(path)
    arm = _find(client, body, embodiment)
    for joint, angle in zip(arm.joints, embodiment.home_rad, strict=True):
        p.resetJointState(body, joint, angle, physicsClientId=client)
    for joint in arm.fingers:
        p.resetJointState(body, joint, FINGER_STROKE_M, physicsClientId=client)
    _dress(client, arm, embodiment)
    return arm


def _find(client: int, body: int, embodiment: Embodiment) -> Arm:
    """Joint and link indices by name; a link has its joint's index."""
    joints, links = {}, {}
    for index in range(p.getNumJoints(body, physicsClientId=client)):
        info = p.getJointInfo(body, index, physicsClientId=client)
        joints[info[1].decode()] = links[info[12].decode()] = index
    return Arm(
        body,
        tuple(joints[name] for name in embodiment.arm_joints),
        tuple(joints[name] for name in FINGER_JOINTS),
        links[HAND_LINK],
    )


def _dress(client: int, arm: Arm, embodiment: Embodiment) -> None:
    """Colours, no damping, and fingers that grip."""
    tint = TINTS.get(embodiment.name, LIGHT)
    for link in range(-1, p.getNumJoints(arm.body, physicsClientId=client)):
        colour = DARK if link in arm.fingers else LIGHT if link >= arm.hand else tint
        p.changeVisualShape(arm.body, link, rgbaColor=colour, physicsClientId=client)
        p.changeDynamics(
            arm.body,
            link,
            linearDamping=0.0,
            angularDamping=0.0,
            activationState=p.ACTIVATION_STATE_DISABLE_SLEEPING,
            physicsClientId=client,
        )
    for link in arm.fingers:
        p.changeDynamics(
            arm.body,
            link,
            lateralFriction=1.0,
            spinningFriction=0.005,
            frictionAnchor=0,
            physicsClientId=client,
        )
