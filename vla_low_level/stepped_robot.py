"""A robot without a process or a real clock, to test and measure what drives robots: the same every time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from vla_low_level.action import ActionChunk
from vla_low_level.body import Body
from vla_low_level.embodiment import Embodiment
from vla_low_level.guard import ChunkHeader
from vla_low_level.inference import Inference
from vla_low_level.observation import F64, Observation
from vla_low_level.plant import CONTROL_HZ, Plant
from vla_low_level.policy import Instruction, Policy, PolicyOutput
from vla_low_level.robot import ExecutionReport, Progress, Seam


class SteppedRobot:
    """A body in this process. Implements `StreamingRobot`; its clock stands still until `pass_time`.

    Attributes:
        sent: Chunks that were executed or streamed, in order.
        trail_rad: Measured joint angles [dof] after each control step.
    """

    def __init__(self, plant: Plant, arm: Embodiment) -> None:
        self.sent: list[ActionChunk] = []
        self.trail_rad: list[F64] = []
        self._plant = plant
        self._body = Body(plant, arm.kinematics(), arm.limits, arm.home_rad)

    def pass_time(self, duration_s: float) -> None:
        """Let so much time pass, s; one control step at least."""
        for _ in range(max(1, round(duration_s * CONTROL_HZ))):
            self._tick()

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        """Sense now. Raises as the plant's `capture` does."""
        return self._body.observe(cameras)

    def execute(self, chunk: ActionChunk) -> ExecutionReport:
        """Carry out a chunk."""
        self.sent.append(chunk)
        self._body.begin(chunk.actions, _header(chunk))
        while self._body.moving:
            self._tick()
        return self._body.report()

    def stream(self, chunk: ActionChunk, seam: Seam | None = None) -> Progress:
        """Hand over a chunk."""
        self.sent.append(chunk)
        self._body.stream(chunk.actions, _header(chunk), seam)
        return self.progress()

    def progress(self) -> Progress:
        """How far it is."""
        return self._body.progress()

    def hold(self) -> None:
        """Drop the chunk that runs and stay."""
        self._body.hold()

    def stop(self, reason: str) -> None:
        """Stop and latch."""
        self._body.stop(reason)

    def reset(self, reason: str) -> None:  # noqa: ARG002 (part of the contract)
        """Clear the latch."""
        self._body.reset()

    def close(self) -> None:
        """Hold."""
        self._body.hold()

    def _tick(self) -> None:
        self._body.tick()
        self.trail_rad.append(self._plant.read().joint_position_rad)


class TimedInference:
    """Implements `Inference` without a thread: answers after so much of a stepped robot's time."""

    def __init__(self, policy: Policy, robot: SteppedRobot, delays_s: Sequence[float]) -> None:
        """`delays_s` are those of the questions in turn; the last one stays."""
        self._policy, self._robot = policy, robot
        self._delays_s = itertools.chain(delays_s, itertools.repeat(delays_s[-1]))
        self._question: tuple[Observation, Instruction] | None = None
        self._left_s = 0.0

    @classmethod
    def on(cls, robot: SteppedRobot, *delays_s: float) -> Callable[[Policy], Inference]:
        """For `ChunkExecutor(inference=...)`."""
        return lambda policy: cls(policy, robot, delays_s)

    @property
    def busy(self) -> bool:
        """A question has not been answered."""
        return self._question is not None

    def ask(self, observation: Observation, instruction: Instruction) -> None:
        """Begin to let the time pass."""
        self._question, self._left_s = (observation, instruction), next(self._delays_s)

    def poll(self, timeout_s: float) -> PolicyOutput | None:
        """Let time pass until the answer is there, or `timeout_s` at most."""
        if self._question is None:
            self._robot.pass_time(timeout_s)
            return None
        passing_s = min(timeout_s, self._left_s)
        self._robot.pass_time(passing_s)
        self._left_s -= passing_s
        if self._left_s > 0.5 / CONTROL_HZ:
            return None
        question, self._question = self._question, None
        return self._policy.act(*question)

    def close(self) -> None:
        """Nothing to end."""


def _header(chunk: ActionChunk) -> ChunkHeader:
    return ChunkHeader(chunk.rate_hz, chunk.expires_s, chunk.chunk_id)
