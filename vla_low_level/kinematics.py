"""Forward and inverse kinematics of a serial arm, from its URDF, in numpy."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_low_level.rotations import rotation_vector

F64 = NDArray[np.float64]

DAMPING = 0.02
POSTURE_GAIN = 0.02


@dataclass(frozen=True, slots=True)
class _Joint:
    """One step of the chain: a fixed transform, then a turn about a local axis (None: no turn)."""

    origin: F64
    axis: F64 | None


class Kinematics:
    """A chain of revolute joints from the base to the tool centre point.

    Attributes:
        dof: Number of joints.
    """

    def __init__(self, joints: list[_Joint]) -> None:
        self.dof = sum(joint.axis is not None for joint in joints)
        self._fixed, self._axes, self._tail = _merge(joints)
        self._skew = np.array([_skew(axis) for axis in self._axes])
        self._skew2 = self._skew @ self._skew

    @classmethod
    def from_urdf(cls, urdf: str, tip_link: str) -> Kinematics:
        """Read the chain from the root link to `tip_link` out of a URDF's text.

        Raises:
            ValueError: When the link is missing or the chain has a joint that is neither revolute nor fixed.
        """
        parents = {
            _link(j, "child"): j for j in ET.fromstring(urdf).iter("joint") if j.find("child") is not None
        }
        chain: list[_Joint] = []
        link = tip_link
        while link in parents:
            joint = parents[link]
            chain.append(_parse(joint))
            link = _link(joint, "parent")
        if not chain:
            raise ValueError(f"no link {tip_link!r} in the URDF")
        return cls(chain[::-1])

    def forward(self, joint_rad: F64) -> tuple[F64, F64, F64]:
        """Tool position [3] m, tool-to-base rotation [3, 3], and geometric Jacobian [6, dof].

        Jacobian rows: linear (m/rad), then angular; base frame.
        """
        sines, cosines = np.sin(joint_rad), np.cos(joint_rad)
        # Rodrigues for all joints at once; the chain itself is seven small products.
        turns = _EYE + sines[:, None, None] * self._skew + (1.0 - cosines)[:, None, None] * self._skew2
        local = self._fixed.copy()
        local[:, :3, :3] = self._fixed[:, :3, :3] @ turns
        axes = np.empty((self.dof, 3))
        origins = np.empty((self.dof, 3))
        pose = np.eye(4)
        for k in range(self.dof):
            pose = pose @ local[k]
            axes[k] = pose[:3, :3] @ self._axes[k]
            origins[k] = pose[:3, 3]
        pose = pose @ self._tail
        arms = pose[:3, 3] - origins
        jacobian = np.empty((6, self.dof))
        jacobian[0] = axes[:, 1] * arms[:, 2] - axes[:, 2] * arms[:, 1]
        jacobian[1] = axes[:, 2] * arms[:, 0] - axes[:, 0] * arms[:, 2]
        jacobian[2] = axes[:, 0] * arms[:, 1] - axes[:, 1] * arms[:, 0]
        jacobian[3:] = axes.T
        return pose[:3, 3], pose[:3, :3], jacobian

    def origins(self, joint_rad: F64) -> F64:
        """Where the joints and, last, the tool are: float64 [dof + 1, 3], m, base frame. For pictures."""
        pose, points = np.eye(4), np.empty((self.dof + 1, 3))
        for k in range(self.dof):
            turn = np.eye(4)
            sine, cosine = np.sin(joint_rad[k]), np.cos(joint_rad[k])
            turn[:3, :3] = _EYE + sine * self._skew[k] + (1.0 - cosine) * self._skew2[k]
            pose = pose @ self._fixed[k]
            points[k] = pose[:3, 3]
            pose = pose @ turn
        points[self.dof] = (pose @ self._tail)[:3, 3]
        return points

    def step_towards(self, joint_rad: F64, position_m: F64, rotation: F64, posture_rad: F64) -> F64:
        """One damped-least-squares step: the joint change [dof] that brings the tool to a nearby pose.

        dq = J^T (J J^T + d^2 I)^-1 e + (I - J^+ J) g (q0 - q) (Nakamura & Hanafusa 1986; Buss 2004).
        The second term drifts towards `posture_rad` without moving the tool.
        """
        here, turned, jacobian = self.forward(joint_rad)
        error = np.concatenate([position_m - here, rotation_vector(rotation @ turned.T)])
        gram = jacobian @ jacobian.T
        gram[_DIAGONAL] += DAMPING * DAMPING * min(1.0, float(error @ error) * 1e4)
        gram[_DIAGONAL] += 1e-8
        drift = POSTURE_GAIN * (posture_rad - joint_rad)
        return np.asarray(jacobian.T @ np.linalg.solve(gram, error - jacobian @ drift) + drift)


_EYE = np.eye(3)
_DIAGONAL = np.diag_indices(6)


def _merge(joints: list[_Joint]) -> tuple[F64, F64, F64]:
    """Fold fixed joints into the transform before the next turning one, and into the tail."""
    fixed, axes = [], []
    pending = np.eye(4)
    for joint in joints:
        pending = pending @ joint.origin
        if joint.axis is not None:
            fixed.append(pending)
            axes.append(joint.axis)
            pending = np.eye(4)
    return np.array(fixed), np.array(axes), pending


def _skew(v: F64) -> F64:
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]], dtype=np.float64)


def _link(joint: ET.Element, end: str) -> str:
    found = joint.find(end)
    return "" if found is None else found.get("link", "")


def _numbers(element: ET.Element | None, name: str, default: str) -> F64:
    text = default if element is None else element.get(name, default)
    return np.array([float(part) for part in text.split()])


def _parse(joint: ET.Element) -> _Joint:
    kind = joint.get("type")
    if kind not in ("revolute", "continuous", "fixed"):
        raise ValueError(f"joint {joint.get('name')!r} is {kind}; only revolute and fixed ones are known")
    place = joint.find("origin")
    pose = np.eye(4)
    pose[:3, :3] = _from_rpy(_numbers(place, "rpy", "0 0 0"))
    pose[:3, 3] = _numbers(place, "xyz", "0 0 0")
    return _Joint(pose, None if kind == "fixed" else _numbers(joint.find("axis"), "xyz", "1 0 0"))


def _from_rpy(rpy: F64) -> F64:
    """Roll, pitch, yaw about fixed axes (URDF's convention) to a matrix."""
    (sr, cr), (sp, cp), (sy, cy) = ((math.sin(a), math.cos(a)) for a in rpy)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
