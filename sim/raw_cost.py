"""What PyBullet alone costs on the same world: the measure for everything that is built around it."""

from __future__ import annotations

import time

import pybullet as p

from sim import cameras
from sim.world import World


def raw_step_s(world: World, steps: int) -> float:
    """Mean wall time of one bare `stepSimulation`, s."""
    began = time.perf_counter()
    for _ in range(steps):
        p.stepSimulation(physicsClientId=world.client)
    return (time.perf_counter() - began) / steps


def raw_render_s(world: World, frames: int) -> float:
    """Mean wall time of one bare `getCameraImage` of the overhead camera's size and view, s."""
    camera = cameras.OVERHEAD
    view = p.computeViewMatrix(cameras.OVERHEAD_EYE, cameras.OVERHEAD_TARGET, [0, 0, 1])
    projection = p.computeProjectionMatrixFOV(48.0, camera.width_px / camera.height_px, 0.3, 2.5)
    began = time.perf_counter()
    for _ in range(frames):
        p.getCameraImage(
            camera.width_px,
            camera.height_px,
            viewMatrix=view,
            projectionMatrix=projection,
            renderer=p.ER_TINY_RENDERER,
            physicsClientId=world.client,
        )
    return (time.perf_counter() - began) / frames
