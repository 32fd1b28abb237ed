"""RGB-D cameras, rendered on the CPU, with the exact calibration of what they show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pybullet as p
from numpy.typing import NDArray

from vla_low_level.observation import CameraImage

F64 = NDArray[np.float64]
Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera.

    Attributes:
        width_px: Image width.
        height_px: Image height.
        fov_rad: Vertical field of view.
        near_m: Near clipping distance.
        far_m: Far clipping distance.
        shadow: Whether shadows are drawn; for people, not for perception.
    """

    width_px: int
    height_px: int
    fov_rad: float
    near_m: float = 0.05
    far_m: float = 4.0
    shadow: bool = False

    @property
    def intrinsics(self) -> F64:
        """Calibration matrix [3, 3], pixels; pixel centres at half integers.

        TinyRenderer samples at the lower left corner of each pixel, not at its middle: half a pixel, which
        is 2 mm on the table.
        """
        focal = self.height_px / 2 / math.tan(self.fov_rad / 2)
        cx, cy = self.width_px / 2 + 0.5, self.height_px / 2 - 0.5
        return np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])


OVERHEAD = Camera(320, 240, math.radians(48.0), near_m=0.3, far_m=2.5)
TABLE = Camera(192, 128, math.radians(37.5), near_m=0.3, far_m=2.5)
"""What a policy is given of the overhead view: the part that matters, and not more pixels than it needs."""
WRIST = Camera(96, 96, math.radians(75.0), near_m=0.02, far_m=2.0)
FRONT = Camera(480, 320, math.radians(42.0), near_m=0.2, far_m=5.0, shadow=True)

OVERHEAD_EYE: Vector = (0.95, 0.0, 1.10)
OVERHEAD_TARGET: Vector = (0.42, 0.0, 0.0)
TABLE_TARGET: Vector = (0.44, 0.0, 0.0)
FRONT_EYE: Vector = (1.45, -0.75, 0.95)
FRONT_TARGET: Vector = (0.36, 0.0, 0.12)


def look_at(eye: Vector, target: Vector, up: Vector = (0, 0, 1)) -> F64:
    """Camera-to-world pose [4, 4], x right, y down, z forward (OpenCV)."""
    forward = np.subtract(target, eye).astype(np.float64)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(forward, right), forward, eye
    return pose


def render(client: int, camera: Camera, pose: F64, light: Vector) -> CameraImage:
    """Take a picture. `pose` is camera to world [4, 4]."""
    view = np.linalg.inv(pose @ np.diag([1.0, -1.0, -1.0, 1.0]))
    near, far = camera.near_m, camera.far_m
    projection = p.computeProjectionMatrixFOV(
        math.degrees(camera.fov_rad), camera.width_px / camera.height_px, near, far
    )
    _, _, rgba, buffer, _ = p.getCameraImage(
        camera.width_px,
        camera.height_px,
        viewMatrix=view.T.flatten().tolist(),
        projectionMatrix=projection,
        lightDirection=light,
        lightDistance=3.0,
        lightAmbientCoeff=0.55,
        lightDiffuseCoeff=0.45,
        lightSpecularCoeff=0.04,
        shadow=int(camera.shadow),
        renderer=p.ER_TINY_RENDERER,
        flags=p.ER_NO_SEGMENTATION_MASK,
        physicsClientId=client,
    )
    shape = (camera.height_px, camera.width_px)
    rgb = np.ascontiguousarray(np.asarray(rgba, dtype=np.uint8).reshape(*shape, 4)[:, :, :3])
    z = np.asarray(buffer, dtype=np.float64).reshape(shape)
    depth = (far * near / (far - (far - near) * z)).astype(np.float32)
    return CameraImage(rgb=rgb, depth_m=depth, intrinsics=camera.intrinsics, pose=pose.copy())


def segment(client: int, camera: Camera, pose: F64) -> NDArray[np.int32]:
    """Body and link index of every pixel [H, W] as PyBullet packs them; -1 for nothing. Privileged."""
    view = np.linalg.inv(pose @ np.diag([1.0, -1.0, -1.0, 1.0]))
    projection = p.computeProjectionMatrixFOV(
        math.degrees(camera.fov_rad), camera.width_px / camera.height_px, camera.near_m, camera.far_m
    )
    image = p.getCameraImage(
        camera.width_px,
        camera.height_px,
        viewMatrix=view.T.flatten().tolist(),
        projectionMatrix=projection,
        shadow=0,
        renderer=p.ER_TINY_RENDERER,
        physicsClientId=client,
    )
    return np.asarray(image[4], dtype=np.int32).reshape(camera.height_px, camera.width_px)


def height_mm(image: CameraImage) -> NDArray[np.int16]:
    """Height above the table of what each pixel shows, mm, int16 [H, W]."""
    return np.round(image.points()[:, :, 2] * 1000.0).clip(-1000, 2000).astype(np.int16)
