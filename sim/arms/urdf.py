"""URDFs as text: light meshes, and any arm joined to the Panda's hand."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from pathlib import Path

import pybullet_data

TOOL_LINK = "panda_grasptarget"
HAND_LINK = "panda_hand"
FINGER_JOINTS = ("panda_finger_joint1", "panda_finger_joint2")
_HAND_LINKS = (HAND_LINK, "panda_leftfinger", "panda_rightfinger", TOOL_LINK)
_HAND_JOINTS = (*FINGER_JOINTS, "panda_grasptarget_hand")

# Fixed to the table: its mass says nothing but that one was given.
_MOUNT = (
    '<link name="table_mount"><inertial><mass value="1"/>'
    '<inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial></link>'
)

Vector = tuple[float, float, float]


def data_folder() -> Path:
    """Where PyBullet keeps its models."""
    return Path(pybullet_data.getDataPath())


def panda_urdf() -> str:
    """The Panda with its collision meshes as visuals, which renders 12 times faster.

    Friction anchors are left out: they break determinism.
    """
    tree = ET.parse(data_folder() / "franka_panda" / "panda.urdf").getroot()
    _lighten(tree, data_folder() / "franka_panda" / "meshes" / "collision")
    return ET.tostring(tree, encoding="unicode")


def with_hand(
    arm: Path, meshes: Path, flange: str, offset_m: Vector, turn_rpy: Vector, base_m: Vector
) -> str:
    """An arm's URDF joined to the Panda's hand, standing at `base_m`.

    Args:
        arm: The arm's URDF file.
        meshes: Folder of its meshes that are light enough to draw; found there by file name.
        flange: The link that the hand is fixed to.
        offset_m: Of the hand's frame in the flange's.
        turn_rpy: Roll, pitch, yaw of the hand's frame in the flange's, rad.
        base_m: Of the arm's base on the table.

    Raises:
        ValueError: When the arm has no such flange.
    """
    tree = ET.parse(arm).getroot()
    links = {link.get("name") for link in tree.iter("link")}
    if flange not in links:
        raise ValueError(f"{arm.name} has no link {flange!r}")
    _lighten(tree, meshes)
    hand = ET.fromstring(panda_urdf())
    for tag, wanted in (("link", _HAND_LINKS), ("joint", _HAND_JOINTS)):
        for part in hand.findall(tag):
            if part.get("name") in wanted:
                tree.append(copy.deepcopy(part))
    children = {joint.find("child").get("link") for joint in tree.findall("joint")}  # type: ignore[union-attr]
    root = next(name for name in links if name not in children and name is not None)
    tree.append(ET.fromstring(_MOUNT))
    tree.append(_fixed("mount_joint", "table_mount", root, base_m, (0.0, 0.0, 0.0)))
    tree.append(_fixed("hand_mount", flange, HAND_LINK, offset_m, turn_rpy))
    return ET.tostring(tree, encoding="unicode")


def _lighten(tree: ET.Element, meshes: Path) -> None:
    """Draw every link as the mesh of the same collision, by absolute path; no friction anchors."""
    for link in tree.iter("link"):
        solid = link.find("collision/geometry/mesh")
        for mesh in link.iter("mesh"):
            source = mesh if solid is None else solid
            mesh.set("filename", str(meshes / source.get("filename", "").rsplit("/", 1)[-1]))
            if (scale := source.get("scale")) is not None:
                mesh.set("scale", scale)
        for contact in link.findall("contact"):
            for anchor in contact.findall("friction_anchor"):
                contact.remove(anchor)


def _fixed(name: str, parent: str, child: str, xyz: Vector, rpy: Vector) -> ET.Element:
    joint = ET.Element("joint", name=name, type="fixed")
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=child)
    ET.SubElement(joint, "origin", xyz=" ".join(map(str, xyz)), rpy=" ".join(map(str, rpy)))
    return joint
