"""The Franka Panda as a low-poly model: collision meshes serve as visuals, which renders 12 times faster."""

from __future__ import annotations

import os
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pybullet as p
import pybullet_data

ARM_JOINTS = tuple(range(7))
FINGER_JOINTS = (9, 10)
FINGER_LINKS = (9, 10)
FINGER_STROKE_M = 0.04
ARM_FORCES = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)
GRIPPER_FORCE_N = 40.0
TOOL_LINK = "panda_grasptarget"

HOME_RAD = np.array([0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4])
"""Hand pointing down at (0.31, 0, 0.49), fingers along world y."""


def source_urdf() -> Path:
    """The URDF that the model is made from; its kinematics are used as they stand."""
    return Path(pybullet_data.getDataPath()) / "franka_panda" / "panda.urdf"


def low_poly_urdf() -> str:
    """The URDF with light visuals, absolute mesh paths, and no friction anchors, which break determinism."""
    folder = source_urdf().parent
    tree = ET.parse(source_urdf())
    for mesh in tree.iter("mesh"):
        name = mesh.get("filename", "").rsplit("/", 1)[-1]
        mesh.set("filename", str(folder / "meshes" / "collision" / name))
    for contact in tree.iter("contact"):
        for anchor in contact.findall("friction_anchor"):
            contact.remove(anchor)
    return ET.tostring(tree.getroot(), encoding="unicode")


def add_arm(client: int) -> int:
    """Load the arm at home, base fixed at the origin."""
    handle, path = tempfile.mkstemp(suffix=".urdf")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(low_poly_urdf())
        body: int = p.loadURDF(path, useFixedBase=True, physicsClientId=client)
    finally:
        os.unlink(path)
    for joint, angle in zip(ARM_JOINTS, HOME_RAD, strict=True):
        p.resetJointState(body, joint, angle, physicsClientId=client)
    for joint in FINGER_JOINTS:
        p.resetJointState(body, joint, FINGER_STROKE_M, physicsClientId=client)
    for link in range(-1, p.getNumJoints(body, physicsClientId=client)):
        grey = 0.93 if link not in FINGER_LINKS else 0.35
        p.changeVisualShape(body, link, rgbaColor=[grey, grey, grey + 0.02, 1], physicsClientId=client)
        p.changeDynamics(
            body,
            link,
            linearDamping=0.0,
            angularDamping=0.0,
            activationState=p.ACTIVATION_STATE_DISABLE_SLEEPING,
            physicsClientId=client,
        )
    for link in FINGER_LINKS:
        p.changeDynamics(
            body, link, lateralFriction=1.0, spinningFriction=0.005, frictionAnchor=0, physicsClientId=client
        )
    return body
