"""One demonstration: the teacher at work, bursts of noise, and a frame of every row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pybullet as p
from numpy.typing import NDArray

from sim.arm import FINGER_STROKE_M
from sim.demos.imagined import ahead, done, imagined
from sim.demos.judge import hopeless, look
from sim.demos.tasks import Kind, Task
from sim.demos.teacher import MOVE_M, RATE_HZ, TURN_RAD, Aim, Teacher
from sim.scene import PlacedScene
from sim.world import World
from vla_low_level.body import Body
from vla_low_level.guard import ChunkHeader
from vla_low_level.observation import CameraImage, Observation
from vla_low_level.rotations import tool_down, yaw_of
from vla_low_level.state import state_vector

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

CAMERAS = ("table", "wrist")
MAX_ROWS = {
    Kind.PICK: 95,
    Kind.PLACE_IN: 100,
    Kind.PLACE_ON: 100,
    Kind.OPEN_DRAWER: 110,
    Kind.CLOSE_DRAWER: 110,
    Kind.PUSH: 120,
    Kind.PRESS: 90,
}
# Rows shown after it is done, so that a policy learns to stay.
REST_ROWS = 4
BURST_CHANCE = 0.05
BURST_ROWS = 4
FLIP_CHANCE = 0.08
EXPIRY_S = 1.0

Driver = Callable[[Observation, int], F32 | None]
"""Who else may choose the row executed, e.g. a policy that still learns; None leaves it to the teacher.

Given are the observation and how many rows there have been."""

Pilot = Callable[[str, str, np.random.Generator], Driver]
"""Who drives one episode: the arm's name, the words and a stream in, a driver out."""


@dataclass
class Frames:
    """An episode row by row. Lists of equal length; see `vla_low_level.dataset` for the columns."""

    table: list[CameraImage] = field(default_factory=list)
    wrist: list[CameraImage] = field(default_factory=list)
    state: list[F32] = field(default_factory=list)
    action: list[F32] = field(default_factory=list)
    ahead: list[F32] = field(default_factory=list)
    target: list[F64] = field(default_factory=list)
    target_yaw: list[float] = field(default_factory=list)
    done: list[bool] = field(default_factory=list)
    followed: list[bool] = field(default_factory=list)


class Stage:
    """A world with its body, advanced by rows."""

    def __init__(self, placed: PlacedScene) -> None:
        self.placed = placed
        self.world = World(placed)
        self._kinematics = self.world.embodiment.kinematics()
        self.body = self._new_body()
        self._chunks = 0

    def close(self) -> None:
        """Free the physics server."""
        self.world.close()

    def do(self, row: F32) -> None:
        """Carry out one row."""
        header = ChunkHeader(RATE_HZ, self.world.time_s + EXPIRY_S, self._chunks)
        self._chunks += 1
        if self.body.execute(row.reshape(1, -1), header).latched:
            self.body.reset()
            self._chunks = 0

    def pose(self, tool_m: F64, yaw_rad: float, opening: float) -> None:
        """Put the empty hand somewhere at once, pointing down; keeps within reach as far as it can."""
        home, client, arm = self.world.embodiment.home_rad, self.world.client, self.world.arm
        joints, (start, turned, _) = home.copy(), self._kinematics.forward(home)
        first = yaw_of(turned)
        for k in range(1, 36):
            part = min(1.0, k / 25)
            goal, turn = start + (tool_m - start) * part, tool_down(first + part * (yaw_rad - first))
            joints = joints + self._kinematics.step_towards(joints, goal, turn, home)
        limits = self.world.embodiment.limits
        margin = limits.joint_margin_rad + 0.05
        joints = np.clip(joints, limits.joint_low_rad + margin, limits.joint_high_rad - margin)
        for index, angle in zip(arm.joints, joints, strict=True):
            p.resetJointState(arm.body, index, angle, physicsClientId=client)
        for index in arm.fingers:
            p.resetJointState(arm.body, index, opening * FINGER_STROKE_M, physicsClientId=client)
        self.world.rest(joints, opening)
        self.body = self._new_body()
        self._chunks = 0

    def _new_body(self) -> Body:
        arm = self.world.embodiment
        return Body(self.world, self._kinematics, arm.limits, arm.home_rad)


def play(
    stage: Stage, task: Task, rng: np.random.Generator, *, noise: bool = True, driver: Driver | None = None
) -> Frames | None:
    """Show a task once. None when it failed, which is no demonstration.

    Where another drives and fails, what the teacher would have done is one up to there.

    Raises:
        LookupError: When there is no way to begin.
    """
    start = look(stage.world)
    teacher = Teacher(task, stage.placed, start, stage.body.observe().proprioception)
    frames, burst, rest, driven = Frames(), 0, 0, driver is not None
    for k in range(MAX_ROWS[task.kind] + REST_ROWS):
        observation = stage.body.observe(CAMERAS)
        now = look(stage.world)
        at = imagined(teacher, now, observation.proprioception, stage.placed.places)
        chunk, ended = ahead(teacher, at, start), done(at, start)
        rest += ended
        executed = row = chunk[0]
        if driven and driver is not None and not ended:
            choice = driver(observation, k)
            driven = choice is not None
            executed = row if choice is None else choice
        elif noise and not ended:
            burst = (
                burst - 1
                if burst
                else int(rng.random() < BURST_CHANCE) * int(rng.integers(1, BURST_ROWS + 1))
            )
            executed = noisy(row, task, rng) if burst else row
        aim = teacher.aim(now, observation.proprioception)
        note(frames, observation, chunk, aim, done=ended, followed=executed is row)
        if rest >= REST_ROWS:
            return frames
        if hopeless(task, now):
            break
        stage.do(executed)
    return frames if driven else None


def noisy(row: F32, task: Task, rng: np.random.Generator) -> F32:
    """The row with a shove in it; sometimes the fingers do the opposite, but never drop a load."""
    rough = row.copy()
    rough[:3] += rng.normal(0, 0.5 * MOVE_M, 3).clip(-MOVE_M, MOVE_M).astype(np.float32)
    rough[5] += np.float32(rng.normal(0, 0.6 * TURN_RAD))
    rough[3:5] += rng.normal(0, 0.015, 2).astype(np.float32)
    if task.kind not in (Kind.PLACE_IN, Kind.PLACE_ON) and rng.random() < FLIP_CHANCE:
        rough[6] = 1.0 - rough[6]
    return rough


def note(frames: Frames, seen: Observation, chunk: F32, aim: Aim, *, done: bool, followed: bool) -> None:
    """Add a frame: what was seen, and the teacher's rows to come and aim there."""
    frames.table.append(seen.images["table"])
    frames.wrist.append(seen.images["wrist"])
    frames.state.append(state_vector(seen.proprioception))
    frames.action.append(chunk[0])
    frames.ahead.append(chunk)
    frames.target.append(aim.target_m)
    frames.target_yaw.append(aim.target_yaw_rad)
    frames.done.append(done)
    frames.followed.append(followed)
