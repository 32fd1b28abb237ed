"""Rotations: the few conversions that chunks and controllers need. Rotation vectors in rad, world frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def tool_down(yaw_rad: float) -> F64:
    """Tool-to-world rotation [3, 3] of a hand pointing straight down.

    `yaw_rad` is the angle of the finger-opening axis (the tool's y) about world z.
    """
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    return np.array([[-s, c, 0.0], [c, s, 0.0], [0.0, 0.0, -1.0]])


def yaw_of(rotation: F64) -> float:
    """Angle of the finger-opening axis about world z, rad, (-pi, pi]."""
    return math.atan2(rotation[1, 1], rotation[0, 1])


def rotation_vector(rotation: F64) -> F64:
    """Rotation matrix [3, 3] to rotation vector [3] (logarithm of SO(3)), angle in [0, pi]."""
    cosine = min(1.0, max(-1.0, (float(np.trace(rotation)) - 1.0) / 2.0))
    skew = np.array(
        [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]]
    )
    angle = math.acos(cosine)
    if angle < 1e-6:
        return np.asarray(skew / 2.0)
    if math.pi - angle < 1e-4:
        # The skew part vanishes at half a turn; the axis is then the dominant column of R + I.
        symmetric = rotation + np.eye(3)
        axis: F64 = symmetric[:, int(np.argmax(np.diag(symmetric)))]
        return np.asarray(axis * (angle / float(np.linalg.norm(axis))))
    return np.asarray(skew * (angle / (2.0 * math.sin(angle))))


def rotation_matrix(vector: F64) -> F64:
    """Rotation vector [3] to matrix [3, 3] (Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + math.sin(angle) * k + (1.0 - math.cos(angle)) * (k @ k))


def wrap(angle_rad: float) -> float:
    """The same angle in [-pi, pi)."""
    return (angle_rad + math.pi) % (2.0 * math.pi) - math.pi


def nearest_turn(angle_rad: float, reference_rad: float, period_rad: float) -> float:
    """The angle equal to `angle_rad` modulo `period_rad` that lies nearest to `reference_rad`."""
    return angle_rad + period_rad * round((reference_rad - angle_rad) / period_rad)
