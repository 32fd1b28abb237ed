"""A plant around the simulated world in which things go wrong at their time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim import cameras
from sim.faults.effect import F64, Effect
from sim.faults.effects import EFFECTS
from sim.faults.happening import BEGIN, END, Happening
from sim.faults.kinds import Site
from sim.faults.spec import Fault, Injection
from sim.world import World
from vla_low_level.guard import ChunkHeader
from vla_low_level.observation import CameraImage
from vla_low_level.plant import PlantState

# Rounding of the clock; far below a control step.
SLACK_S = 1e-6


@dataclass
class _Injected:
    """A fault on its way: due, then acting from `began_s` on, then over."""

    index: int
    fault: Fault
    effect: Effect
    began_s: float | None = None
    over: bool = False

    @property
    def acting(self) -> bool:
        return self.began_s is not None and not self.over


class FaultyPlant:
    """Implements `Plant`. Faults count their time from the first look or chunk.

    Attributes:
        happened: What has begun and ended and was not collected yet.
    """

    def __init__(self, world: World, injection: Injection, clock: Callable[[], float] | None = None) -> None:
        """Prepare the body's faults; happenings are told by `clock`, by default the world's."""
        self.world = world
        self._clock = clock or (lambda: world.time_s)
        self._zero_s: float | None = None
        self._looked_s: float | None = None
        self._injected = [
            _Injected(k, fault, EFFECTS[fault.name](fault, world, injection.seed))
            for k, fault in enumerate(injection.faults)
            if fault.kind.site is Site.BODY
        ]
        self.happened: list[Happening] = []
        for item in self._injected:
            item.effect.place()

    @property
    def time_s(self) -> float:
        """The world's clock."""
        return self.world.time_s

    def awake(self) -> None:
        """The command begins, unless it has begun already: from here on faults count their time."""
        if self._zero_s is None:
            self._zero_s = self.world.time_s

    def read(self) -> PlantState:
        """Measure, wrongly perhaps."""
        self._look_at_the_clock()
        state = self.world.read()
        for effect in self._acting():
            state = effect.read(state)
        return state

    def command(self, joint_target_rad: F64, gripper_target: float) -> None:
        """Tell the motors, something else perhaps."""
        self._look_at_the_clock()
        for effect in self._acting():
            joint_target_rad, gripper_target = effect.command(joint_target_rad, gripper_target)
        self.world.command(joint_target_rad, gripper_target)

    def step(self) -> None:
        """Let faults begin, act and end, then one control period pass."""
        self._look_at_the_clock()
        for effect in self._acting():
            effect.step()
        self.world.step()

    def capture(self, names: Sequence[str]) -> dict[str, CameraImage]:
        """Take pictures, spoilt perhaps. Raises `TandemError` (`CAMERA_UNKNOWN`)."""
        self.awake()
        self._look_at_the_clock()
        return {name: self._capture(name) for name in names}

    def chunk(self, actions: object, header: ChunkHeader) -> tuple[object, ChunkHeader]:
        """A chunk on its way to the controller. What is no chunk is left to the guard."""
        self.awake()
        self._look_at_the_clock()
        if not isinstance(actions, np.ndarray) or actions.dtype != np.float32 or actions.shape[1:] != (7,):
            return actions, header
        rows = actions
        for effect in self._acting():
            rows, header = effect.chunk(rows, header)
        return rows, header

    def marks(self) -> bytes:
        """Of the world's things."""
        return self.world.marks()

    def state_hash(self) -> str:
        """Of the world."""
        return self.world.state_hash()

    def _capture(self, view: str) -> CameraImage:
        camera, pose = self.world.view(view)
        eye, told = pose, pose
        for effect in self._acting():
            eye, told = effect.eye(view, eye), effect.told(view, told)
        image = replace(cameras.render(self.world.client, camera, eye, self.world.light), pose=told.copy())
        for item in self._injected:
            item.effect.watch(view, image, self.world.time_s)
        for effect in self._acting():
            image = effect.picture(view, image, self.world.time_s)
        return image

    def _acting(self) -> list[Effect]:
        return [item.effect for item in self._injected if item.acting]

    def _look_at_the_clock(self) -> None:
        """Let begin and end what is due, whoever asks first: a replay asks for no pictures."""
        if self._zero_s is None or self._looked_s == self.world.time_s:
            return
        self._looked_s = self.world.time_s
        now_s = self.world.time_s - self._zero_s + SLACK_S
        for item in self._injected:
            waited_s = now_s - item.fault.onset_s
            if item.began_s is None and waited_s >= 0 and item.effect.ready(waited_s):
                item.began_s = now_s - SLACK_S
                item.effect.begin()
                self._note(item, BEGIN)
            lasts_s = item.fault.lasts_s
            if item.acting and lasts_s is not None and now_s >= (item.began_s or 0.0) + lasts_s:
                item.effect.end()
                item.over = True
                self._note(item, END)

    def _note(self, item: _Injected, phase: str) -> None:
        self.happened.append(Happening(item.index, phase, self._clock()))
