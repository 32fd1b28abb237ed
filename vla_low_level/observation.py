"""What the robot senses at one instant. World frame: robot base, z up, table top at z = 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def _frozen(array: NDArray[np.generic], shape: tuple[int | None, ...], dtype: type, name: str) -> None:
    """Check an array's axes and type, then make it read-only. `None` in `shape` matches any length."""
    fits = array.ndim == len(shape) and all(
        want is None or got == want for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype != dtype:
        raise ValueError(f"{name}: want {shape} {np.dtype(dtype)}, got {array.shape} {array.dtype}")
    array.setflags(write=False)


@dataclass(frozen=True, slots=True)
class CameraImage:
    """One RGB-D frame with the calibration that gives it a scale.

    Attributes:
        rgb: uint8 [H, W, 3].
        depth_m: float32 [H, W], distance along the optical axis, m.
        intrinsics: float64 [3, 3], pixels; [u, v, 1] ~ K @ [x, y, z].
        pose: float64 [4, 4], camera to world; camera axes x right, y down, z forward (OpenCV).
    """

    rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    intrinsics: F64
    pose: F64

    def __post_init__(self) -> None:
        _frozen(self.rgb, (None, None, 3), np.uint8, "rgb")
        _frozen(self.depth_m, self.rgb.shape[:2], np.float32, "depth_m")
        _frozen(self.intrinsics, (3, 3), np.float64, "intrinsics")
        _frozen(self.pose, (4, 4), np.float64, "pose")

    def calibration(self) -> NDArray[np.float32]:
        """Float32 [16]: fx, fy, cx, cy in px, then the pose's upper rows, as policies are told it."""
        k = self.intrinsics
        return np.concatenate([[k[0, 0], k[1, 1], k[0, 2], k[1, 2]], self.pose[:3].ravel()]).astype(
            np.float32
        )

    def points(self) -> F64:
        """What each pixel shows, as a point in the world: float64 [H, W, 3], m."""
        height, width = self.depth_m.shape
        u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(self.intrinsics).T
        return np.asarray((rays * self.depth_m[:, :, None]) @ self.pose[:3, :3].T + self.pose[:3, 3])


@dataclass(frozen=True, slots=True)
class Proprioception:
    """What the arm feels of itself.

    Attributes:
        joint_position_rad: float64 [dof].
        joint_velocity_rad_s: float64 [dof].
        ee_position_m: float64 [3], measured tool centre point (between the fingertips), world.
        ee_rotation: float64 [3, 3], measured tool-to-world rotation; z points out of the hand.
        target_position_m: float64 [3], commanded tool centre point; chunk deltas start from it.
        target_rotation: float64 [3, 3], commanded tool-to-world rotation.
        gripper_opening: 0 (closed) .. 1 (fully open), measured.
        last_command: float64 [7], the last action row that was executed.
        contact_force_n: Largest contact force on hand or arm in the last control step, N.
    """

    joint_position_rad: F64
    joint_velocity_rad_s: F64
    ee_position_m: F64
    ee_rotation: F64
    target_position_m: F64
    target_rotation: F64
    gripper_opening: float
    last_command: F64
    contact_force_n: float

    def __post_init__(self) -> None:
        _frozen(self.joint_position_rad, (None,), np.float64, "joint_position_rad")
        _frozen(self.joint_velocity_rad_s, self.joint_position_rad.shape, np.float64, "joint_velocity_rad_s")
        _frozen(self.ee_position_m, (3,), np.float64, "ee_position_m")
        _frozen(self.ee_rotation, (3, 3), np.float64, "ee_rotation")
        _frozen(self.target_position_m, (3,), np.float64, "target_position_m")
        _frozen(self.target_rotation, (3, 3), np.float64, "target_rotation")
        _frozen(self.last_command, (7,), np.float64, "last_command")


@dataclass(frozen=True, slots=True)
class Observation:
    """One instant: cameras by name, the arm's own state, and when it was.

    Attributes:
        images: Frames by camera name (`overhead`, `wrist`); only the cameras that were asked for.
        proprioception: The arm.
        time_s: Simulation time (lockstep) or the body's monotonic clock (real time), s.
        sequence: Counts observations of this body from 0; names the observation in a trace.
    """

    images: Mapping[str, CameraImage]
    proprioception: Proprioception
    time_s: float
    sequence: int
