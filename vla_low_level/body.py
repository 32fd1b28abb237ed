"""The body: plant, controller and guard in one 240 Hz loop. No torch, no network, no policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vla_low_level.controller import Controller
from vla_low_level.guard import PASSED, ChunkHeader, Guard, more_severe, tracking_error_m
from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import Limits
from vla_low_level.observation import Observation, Proprioception
from vla_low_level.plant import CONTROL_HZ, Plant, PlantState
from vla_low_level.robot import Decision, ExecutionReport, Verdict
from vla_low_level.rotations import rotation_matrix

F64 = NDArray[np.float64]

OPEN = 1.0


def _never() -> bool:
    return False


class Body:
    """Executes chunks on a plant, one 240 Hz step at a time.

    `execute` serves lockstep, where time passes only while a chunk runs; `begin` and `tick` serve real
    time, where it always does. Both are the same steps.
    """

    def __init__(self, plant: Plant, kinematics: Kinematics, limits: Limits, home_rad: F64) -> None:
        self._plant = plant
        self._kinematics = kinematics
        self._controller = Controller(kinematics, limits, home_rad)
        self._guard = Guard(limits)
        self._state = plant.read()
        self._controller.anchor(self._state.joint_position_rad)
        self._gripper = OPEN
        self._last_row = np.array([0, 0, 0, 0, 0, 0, OPEN])
        self._sequence = 0
        self._run: Iterator[None] | None = None
        self._progress = _Progress()
        self.latched = ""

    @property
    def time_s(self) -> float:
        """The plant's clock."""
        return self._plant.time_s

    @property
    def moving(self) -> bool:
        """A chunk is running."""
        return self._run is not None

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        """Sense now. Raises `TandemError` (`CAMERA_UNKNOWN`)."""
        state = self._state = self._plant.read()
        position, rotation, _ = self._kinematics.forward(state.joint_position_rad)
        command = self._controller
        body = Proprioception(
            joint_position_rad=state.joint_position_rad,
            joint_velocity_rad_s=state.joint_velocity_rad_s,
            ee_position_m=position.copy(),
            ee_rotation=rotation.copy(),
            target_position_m=command.goal_m.copy(),
            target_rotation=command.goal_rotation.copy(),
            gripper_opening=state.gripper_opening,
            last_command=self._last_row.copy(),
            contact_force_n=state.contact_force_n,
        )
        images = self._plant.capture(cameras)
        self._sequence += 1
        return Observation(images, body, self._plant.time_s, self._sequence - 1)

    def execute(
        self,
        actions: object,
        header: ChunkHeader,
        *,
        stop_requested: Callable[[], bool] = _never,
        max_steps: int | None = None,
    ) -> ExecutionReport:
        """Carry out a chunk in lockstep.

        Args:
            actions: Rows as in `ActionChunk.actions`; anything may come, the guard looks at it.
            header: The chunk's other fields.
            stop_requested: Asked before every step; True latches a stop.
            max_steps: Stop after so many steps as a stop did then; for exact replay.
        """
        self.begin(actions, header)
        while self._run is not None:
            if stop_requested() or (max_steps is not None and self._progress.steps >= max_steps):
                self.stop("requested")
                break
            self.tick()
        return self.report()

    def begin(self, actions: object, header: ChunkHeader) -> None:
        """Judge a chunk and, unless it is refused, start on it with the next `tick`."""
        self._progress = _Progress()
        self._run = None
        if self.latched:
            self._progress.verdict = Verdict(Decision.STOP, "latched")
            return
        verdict = self._guard.check_chunk(actions, header, self._plant.time_s)
        self._progress.verdict = verdict
        if verdict.decision in (Decision.PASS, Decision.CLAMP) and isinstance(actions, np.ndarray):
            self._run = self._steps(actions.astype(np.float64), round(CONTROL_HZ / header.rate_hz))
        else:
            self._controller.settle()

    def tick(self) -> None:
        """Let one control period pass: a step of the chunk, or a step of staying where the arm is."""
        if self._run is not None:
            try:
                next(self._run)
            except StopIteration:
                self._run = None
            return
        if not self.latched:
            self._stay()
        self._plant.step()

    def report(self) -> ExecutionReport:
        """What became of the last chunk."""
        done = self._progress
        return ExecutionReport(
            verdict=done.verdict,
            clamps=done.clamps,
            rows_executed=done.rows,
            steps_executed=done.steps,
            time_s=self._plant.time_s,
            state_hash=self._plant.state_hash(),
            latched=bool(self.latched),
            tracking_error_m=done.tracking_m,
        )

    def hold(self) -> None:
        """Forget any reference; the arm brakes and stays."""
        self._run = None
        self._controller.settle()

    def stop(self, reason: str) -> None:
        """Overwrite every motor target with the measured pose, now, and latch."""
        self._run = None
        self._state = self._plant.read()
        if np.isfinite(self._state.joint_position_rad).all():
            self._controller.anchor(self._state.joint_position_rad)
            self._plant.command(self._state.joint_position_rad, self._gripper)
        self.latched = reason or "stop"
        self._progress.verdict = more_severe(self._progress.verdict, Verdict(Decision.STOP, self.latched))

    def reset(self) -> None:
        """Clear the latch; the arm stays where it is."""
        self._state = self._plant.read()
        self._controller.anchor(self._state.joint_position_rad)
        self.latched = ""

    def _steps(self, rows: F64, per_row: int) -> Iterator[None]:
        """One yield per control step of the chunk."""
        command = self._controller
        for row in rows:
            start, turned = command.goal_m, command.goal_rotation
            command.goal_m = start + row[:3]
            command.goal_rotation = rotation_matrix(row[3:6]) @ turned
            self._gripper = float(min(1.0, max(0.0, row[6])))
            self._last_row = row
            feed = row[:6] * (CONTROL_HZ / per_row)
            for k in range(1, per_row + 1):
                part = k / per_row
                reference = rotation_matrix(row[3:6] * part) @ turned
                verdict = self._move(start + row[:3] * part, reference, feed)
                self._plant.step()
                self._progress.steps += 1
                if verdict.decision is Decision.STOP:
                    self.stop(verdict.limit)
                    return
                if verdict.decision is Decision.HOLD:
                    return
                yield
            self._progress.rows += 1
        self._controller.trim()

    def _move(self, reference_m: F64, rotation: F64, feed: F64) -> Verdict:
        """One guarded step towards a reference; on HOLD and STOP the motors get the measured pose instead."""
        controller, progress = self._controller, self._progress
        state = self._state = self._plant.read()
        verdict = self._guard.check_state(state, controller.motion, progress.steps)
        if verdict.decision is Decision.PASS:
            progress.tracking_m = max(progress.tracking_m, tracking_error_m(state, controller.motion))
            after = controller.pursue(reference_m, rotation, feed)
            verdict = self._guard.check_step(controller.motion, after, progress.steps)
            if verdict.decision is Decision.CLAMP:
                progress.clamps += 1
                after = controller.slow_down()
            if verdict.decision is not Decision.STOP:
                controller.accept(after)
                self._plant.command(after.joint_rad, self._gripper)
        else:
            self._freeze(state)
        progress.verdict = more_severe(progress.verdict, verdict)
        return verdict

    def _freeze(self, state: PlantState) -> None:
        """Be at rest where the arm is measured to be."""
        if np.isfinite(state.joint_position_rad).all():
            self._controller.anchor(state.joint_position_rad)
            self._plant.command(state.joint_position_rad, self._gripper)

    def _stay(self) -> None:
        """A guarded step without a reference: brake, then keep still."""
        command = self._controller
        self._move(command.goal_m, command.goal_rotation, np.zeros(6))


class _Progress:
    """Counters of the chunk that runs."""

    __slots__ = ("clamps", "rows", "steps", "tracking_m", "verdict")

    def __init__(self) -> None:
        self.verdict = PASSED
        self.clamps = 0
        self.rows = 0
        self.steps = 0
        self.tracking_m = 0.0
