"""Recording: many scenes in parallel, each written when it is done, so that nothing is done twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.demos.chain import Demonstration, draw_chain
from sim.demos.episode import Pilot
from sim.demos.glance import draw_glances
from sim.demos.tasks import Kind
from vla_low_level.dataset.assemble import part_path, write_part
from vla_low_level.dataset.schema import (
    ACTION,
    AHEAD,
    CAMERA,
    DONE,
    EMBODIMENT,
    EMBODIMENTS,
    FOLLOWED,
    FPS,
    STATE,
    TABLE,
    TABLE_UV,
    TARGET,
    TARGET_YAW,
    WRIST,
    WRIST_UV,
)
from vla_low_level.dataset.statistics import encode
from vla_low_level.observation import CameraImage

F64 = NDArray[np.float64]
# Projections are kept inside this, px: a point behind the camera has none at all.
FAR_PX = 10_000.0


@dataclass(frozen=True, slots=True)
class Order:
    """One scene to record.

    Attributes:
        folder: The dataset's.
        seed: Of the scene and all that happens in it.
        arm: Whose; drawn from the seed when None.
        only: The one skill to show; all of them when None.
    """

    folder: Path
    seed: int
    arm: str | None = None
    only: Kind | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an order: how many episodes and frames it gave."""

    seed: int
    episodes: int
    frames: int


def record_scene(order: Order, pilot: Pilot | None = None) -> Recorded:
    """Record one scene into its part; with a pilot, what the teacher would do where that leads."""
    return record_shown(order, draw_chain(order.seed, arm=order.arm, only=order.only, pilot=pilot))


def record_glances(order: Order) -> Recorded:
    """Record all that could be asked in one scene, one frame each, into its part."""
    return record_shown(order, draw_glances(order.seed, arm=order.arm, only=order.only))


def record_shown(order: Order, demonstrations: Iterable[Demonstration]) -> Recorded:
    """Record demonstrations as they come into the order's part."""
    rows: list[dict[str, Any]] = []
    texts: list[tuple[str, ...]] = []
    pictures = _Pictures()
    for shown in demonstrations:
        rows += list(_rows(shown, len(texts), pictures))
        texts.append(shown.texts)
    write_part(part_path(order.folder, order.seed), rows, texts)
    return Recorded(order.seed, len(texts), len(rows))


def record(
    orders: list[Order], workers: int, recorder: Callable[[Order], Recorded] = record_scene
) -> Iterator[Recorded]:
    """Record every order that has no part yet, `workers` at a time, as they are done."""
    left = [order for order in orders if not part_path(order.folder, order.seed).exists()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running: set[Future[Recorded]] = set()
        try:
            for order in left:
                running.add(pool.submit(recorder, order))
                # A short queue: an interruption finds little that is waiting.
                if len(running) >= 2 * workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            yield from (future.result() for future in running)
        except (KeyboardInterrupt, GeneratorExit):
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Pictures:
    """Encodes a picture once that is asked about several times over."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[CameraImage, bytes]] = {}

    def encoded(self, name: str, image: CameraImage) -> bytes:
        if name not in self._last or self._last[name][0] is not image:
            self._last[name] = image, encode(image.rgb)
        return self._last[name][1]


def _rows(shown: Demonstration, number: int, pictures: _Pictures) -> Iterator[dict[str, Any]]:
    """An episode as rows of the dataset; its indices count within the episode or part."""
    frames = shown.frames
    for k, (table, wrist) in enumerate(zip(frames.table, frames.wrist, strict=True)):
        target, yaw = frames.target[k], frames.target_yaw[k]
        yield {
            TABLE: {"bytes": pictures.encoded(TABLE, table), "path": None},
            WRIST: {"bytes": pictures.encoded(WRIST, wrist), "path": None},
            STATE: frames.state[k],
            ACTION: frames.action[k],
            AHEAD: frames.ahead[k].ravel(),
            CAMERA: table.calibration(),
            TARGET: target.astype(np.float32),
            TARGET_YAW: np.array([math.cos(2 * yaw), math.sin(2 * yaw)], np.float32),
            TABLE_UV: project(table, target),
            WRIST_UV: project(wrist, target),
            EMBODIMENT: EMBODIMENTS.index(shown.arm),
            DONE: int(frames.done[k]),
            FOLLOWED: int(frames.followed[k]),
            "timestamp": k / FPS,
            "frame_index": k,
            "episode_index": number,
            "index": 0,
            "task_index": k % len(shown.texts),
        }


def project(image: CameraImage, point_m: F64) -> NDArray[np.float32]:
    """Where a world point is in the picture, px [2]; far outside when it is behind the camera."""
    local = image.pose[:3, :3].T @ (point_m - image.pose[:3, 3])
    if local[2] < 1e-3:
        return np.full(2, -FAR_PX, np.float32)
    u, v, w = image.intrinsics @ local
    pixel: NDArray[np.float32] = np.clip(np.array([u / w, v / w]), -FAR_PX, FAR_PX).astype(np.float32)
    return pixel


def orders_for(
    folder: Path, first_seed: int, scenes: int, arm: str | None = None, only: Kind | None = None
) -> list[Order]:
    """One order for each of `scenes` seeds."""
    return [Order(folder, first_seed + k, arm, only) for k in range(scenes)]
