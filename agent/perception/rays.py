"""Where a pixel's ray meets the table, and where a point of the world appears in the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def ground_points(intrinsics: F64, pose: F64, u: F64, v: F64) -> F64:
    """Points [..., 2] (x, y in m) where the rays through pixels (u, v) meet the plane z = 0.

    Rays that do not go down meet it nowhere; they are given a far point.
    """
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(intrinsics).T @ pose[:3, :3].T
    scale = np.where(rays[..., 2] < -1e-6, -pose[2, 3] / np.minimum(rays[..., 2], -1e-6), 1e3)
    return np.asarray(np.clip(pose[:2, 3] + rays[..., :2] * scale[..., None], -5.0, 5.0))


def project(intrinsics: F64, pose: F64, points: F64) -> F64:
    """Pixels [..., 2] (u, v) of world points [..., 3] in front of the camera."""
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    image = local @ intrinsics.T
    return np.asarray(image[..., :2] / np.maximum(image[..., 2:], 1e-6))


def grid(height: int, width: int, stride: int) -> tuple[F64, F64]:
    """Pixel coordinates (u, v), each [height / stride, width / stride], of the centres of the cells."""
    u, v = np.meshgrid(
        (np.arange(width // stride) + 0.5) * stride, (np.arange(height // stride) + 0.5) * stride
    )
    return u, v


def network_input(rgb: NDArray[np.uint8], height_m: NDArray[np.float32], ground: F64) -> NDArray[np.float32]:
    """The six channels [6, H, W] that the network reads; `ground` [H / s, W / s, 2] is said once per cell."""
    stride = rgb.shape[0] // ground.shape[0]
    colour = rgb.astype(np.float32).transpose(2, 0, 1) / 255.0
    level = np.clip(np.nan_to_num(height_m), -0.2, 0.8)[None] / 0.2
    where = np.clip(ground, -1.0, 1.5).astype(np.float32).transpose(2, 0, 1)
    where = where.repeat(stride, axis=1).repeat(stride, axis=2)
    return np.concatenate([colour, level.astype(np.float32), where])
