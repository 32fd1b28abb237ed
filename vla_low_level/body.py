"""The body: plant, controller and guard in one 240 Hz loop. No torch, no network, no policy."""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vla_low_level.controller import Controller
from vla_low_level.execution import Run
from vla_low_level.guard import ChunkHeader, Guard, more_severe, tracking_error_m
from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import Limits
from vla_low_level.motion import Motion, length
from vla_low_level.observation import Observation, Proprioception
from vla_low_level.plant import CONTROL_HZ, Plant
from vla_low_level.robot import Decision, ExecutionReport, Progress, Seam, Verdict
from vla_low_level.stream import Stream, Waiting

F64 = NDArray[np.float64]

OPEN = 1.0
# After a hold: time for forces to fall and joints to come to rest where the arm was measured.
RELAX_STEPS = 24
# An arm that holds where it was pushed goes on pushing: it yields so far, back the way it came, m.
YIELD_M = 0.005
# The way it came is what it was told in so many steps.
TRAIL_STEPS = 48
LEAST_WAY_M = 0.0005
# A refused step is tried again with these shares of what goes beyond braking.
MILDER_SHARES = (0.5, 0.1)


def _never() -> bool:
    return False


class Body:
    """Executes chunks on a plant, one 240 Hz step at a time.

    `execute` serves lockstep, where time passes only while a chunk runs; `begin` and `tick` serve real
    time, where it always does; `stream` takes the next chunk while one runs. All are the same steps.

    Attributes:
        latched: Why a stop is latched; empty when none is.
    """

    def __init__(
        self,
        plant: Plant,
        kinematics: Kinematics,
        limits: Limits,
        home_rad: F64,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._plant = plant
        self._kinematics = kinematics
        self._controller = Controller(kinematics, limits, home_rad)
        self._guard = Guard(kinematics, limits)
        self._clock = clock or (lambda: plant.time_s)
        self._controller.anchor(plant.read().joint_position_rad)
        self._gripper = OPEN
        self._last_row = np.array([0, 0, 0, 0, 0, 0, OPEN])
        self._sequence = 0
        self._run = Run.none()
        self._stream = Stream(self._report)
        self._trail: deque[F64] = deque(maxlen=TRAIL_STEPS)
        self._stopped_m = self._controller.goal_m
        self.stop_travel_m = 0.0
        self.latched = ""

    @property
    def moving(self) -> bool:
        """A chunk is running."""
        return not self._run.ended

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        """Sense now. Raises `TandemError` (`CAMERA_UNKNOWN`)."""
        images = self._plant.capture(cameras)
        state = self._plant.read()
        position, rotation, _ = self._kinematics.forward(state.joint_position_rad)
        target_m, target_rotation = self._reference()
        body = Proprioception(
            joint_position_rad=state.joint_position_rad,
            joint_velocity_rad_s=state.joint_velocity_rad_s,
            ee_position_m=position.copy(),
            ee_rotation=rotation.copy(),
            target_position_m=target_m.copy(),
            target_rotation=target_rotation.copy(),
            gripper_opening=state.gripper_opening,
            last_command=self._last_row.copy(),
            contact_force_n=state.contact_force_n,
        )
        self._sequence += 1
        return Observation(images, body, self._clock(), self._sequence - 1)

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
            max_steps: Stop after so many steps, as a stop did when it was recorded; for exact replay.
        """
        self.begin(actions, header)
        marks = bytearray()
        while self.moving:
            if stop_requested() or (max_steps is not None and self._run.steps >= max_steps):
                self.stop("requested")
                break
            self.tick()
            marks += self._plant.marks()
        return replace(self.report(), marks=b64encode(marks).decode())

    def begin(self, actions: object, header: ChunkHeader) -> None:
        """Judge a chunk and, unless it is refused, start on it with the next `tick`."""
        run = self._judge(actions, header)
        if not run.ended:
            self._guard.feel(self._plant.read())
        elif not self.latched:
            self._controller.settle()
        self._run = run

    def stream(self, actions: object, header: ChunkHeader, seam: Seam | None = None) -> None:
        """Judge a chunk and let it take over from the running one at a seam; see `StreamingRobot`."""
        run = self._judge(actions, header)
        if run.ended:
            self._stream.refuse(header.chunk_id, run.verdict)
        else:
            self._stream.wait(Waiting(run, header.chunk_id, header.expires_s, seam))

    def progress(self) -> Progress:
        """How far the stream is. Ends are told once."""
        run, stream = self._run, self._stream
        return Progress(
            time_s=self._clock(),
            chunk_id=stream.chunk_id,
            moving=not run.ended and not run.relaxing,
            rows_begun=stream.skipped + run.rows_done + run.within_row,
            row_left_s=run.row_left_s,
            travelled_s=stream.travelled_s,
            goal_m=self._controller.goal_m.copy(),
            goal_rotation=self._controller.goal_rotation.copy(),
            ended=stream.collect(),
        )

    def tick(self) -> None:
        """Let one control period pass: a step of the chunk, or a step of staying where the arm is."""
        if not self.latched and (next_run := self._stream.take_over(self._run, self._clock())):
            self._guard.feel(self._plant.read())
            self._run = next_run
        run = self._run
        if self.latched:
            # Again, so that it is a pose to rest in: a change of targets is followed with its own speed.
            self._plant.command(self._controller.motion.joint_rad, self._gripper)
            verdict = self._guard.check_alive(self._plant.read(), run.steps)
        elif run.relaxing:
            verdict = self._relax()
        elif run.ended:
            verdict = self._move(self._controller.goal_m, self._controller.goal_rotation, np.zeros(6))
        else:
            verdict = self._follow(run)
            self._stream.travel()
        self._plant.step()
        if self.latched:
            self._note_travel()
        run.note(verdict)
        if verdict.decision is Decision.STOP and not self.latched:
            self.stop(verdict.limit)
        elif verdict.decision is Decision.HOLD:
            way = self._way_back() if verdict.limit == "contact_force" else np.zeros(3)
            self._freeze()
            self._controller.goal_m = self._controller.goal_m + YIELD_M * way
            run.relax(RELAX_STEPS)
            # What waits was made before anyone knew of this.
            self._stream.drop("held")
        elif run.completed:
            self._controller.trim()
        self._stream.close(self._run)

    def report(self) -> ExecutionReport:
        """What became of the last chunk."""
        return self._report(self._run)

    def _report(self, run: Run) -> ExecutionReport:
        return ExecutionReport(
            verdict=run.verdict,
            clamps=run.clamps,
            rows_executed=run.rows_done,
            steps_executed=run.steps,
            time_s=self._clock(),
            state_hash=self._plant.state_hash(),
            latched=bool(self.latched),
            tracking_error_m=run.tracking_m,
        )

    def hold(self) -> None:
        """Drop the chunk that is running; the arm brakes and stays. Without one it is staying already."""
        self._stream.drop("held")
        if self.moving:
            self._run.abandon()
            self._controller.settle()
            self._stream.close(self._run)

    def stop(self, reason: str) -> None:
        """Overwrite every arm target with the measured pose, now, and latch. The fingers keep their grip."""
        self._freeze()
        self._run.abandon()
        if not self.latched:
            self._stopped_m, self.stop_travel_m = self._controller.goal_m, 0.0
        self.latched = self.latched or reason or "stop"
        self._run.verdict = more_severe(self._run.verdict, Verdict(Decision.STOP, self.latched))
        self._stream.drop("latched")
        self._stream.close(self._run)

    def reset(self) -> None:
        """Clear the latch; the arm stays where it is, and chunk numbers begin anew."""
        self._freeze()
        self._run.abandon()
        self._stream.drop("held")
        self._stream.close(self._run)
        self._guard.forget()
        self.latched = ""

    def _judge(self, actions: object, header: ChunkHeader) -> Run:
        """The chunk as a run; one that has ended already when it is refused."""
        if self.latched:
            return Run.refused(Verdict(Decision.STOP, "latched"))
        verdict = self._guard.check_chunk(actions, header, self._clock())
        if verdict.decision in (Decision.PASS, Decision.CLAMP) and isinstance(actions, np.ndarray):
            return Run.of(actions.astype(np.float64), round(CONTROL_HZ / header.rate_hz), verdict)
        return Run.refused(verdict)

    def _reference(self) -> tuple[F64, F64]:
        """Where the rows have led so far: position [3] m, rotation [3, 3]. Within a row, a part of it."""
        run, controller = self._run, self._controller
        if run.within_row:
            return run.reference(run.share_done)
        return controller.goal_m, controller.goal_rotation

    def _follow(self, run: Run) -> Verdict:
        """One step along the present row."""
        row, controller = run.row, self._controller
        if run.at_row_start:
            run.enter_row(controller.goal_m, controller.goal_rotation)
            controller.goal_m, controller.goal_rotation = run.reference(1.0)
            self._gripper = float(min(1.0, max(0.0, row[6])))
            self._last_row = row
        return self._move(*run.reference(run.row_share), run.feed)

    def _move(self, reference_m: F64, rotation: F64, feed: F64) -> Verdict:
        """Write one guarded step towards a reference to the motors. HOLD and STOP write nothing."""
        controller, run = self._controller, self._run
        state = self._plant.read()
        verdict = self._guard.check_state(state, controller.motion, run.steps)
        if verdict.decision is not Decision.PASS:
            return verdict
        run.tracking_m = max(run.tracking_m, tracking_error_m(state, controller.motion))
        verdict = self._write(reference_m, rotation, feed)
        self._trail.append(controller.motion.position_m)
        return verdict

    def _relax(self) -> Verdict:
        """One step of coming to rest after a hold, at the point that the hold has set."""
        verdict = self._guard.check_alive(self._plant.read(), self._run.steps)
        if verdict.decision is not Decision.PASS:
            return verdict
        return self._write(self._controller.goal_m, self._controller.goal_rotation, np.zeros(6))

    def _write(self, reference_m: F64, rotation: F64, feed: F64) -> Verdict:
        """Bound a step towards a reference by the guard's word and give it to the motors."""
        controller, run = self._controller, self._run
        after = controller.pursue(reference_m, rotation, feed)
        verdict = self._guard.check_step(controller.motion, after, run.steps)
        if verdict.decision is Decision.CLAMP:
            run.clamps += 1
            after = self._milder(after)
        if verdict.decision is not Decision.STOP:
            controller.accept(after)
            self._plant.command(after.joint_rad, self._gripper)
        return verdict

    def _milder(self, wanted: Motion) -> Motion:
        """What is left of a refused step: a part of it, or braking, which is always allowed."""
        controller = self._controller
        slow = controller.slow_down()
        for share in MILDER_SHARES:
            after = controller.between(slow, wanted, share)
            if self._guard.check_step(controller.motion, after, 0).decision is Decision.PASS:
                return after
        return slow

    def _way_back(self) -> F64:
        """Unit vector [3] against the latest commanded motion; zero when there was none."""
        if not self._trail:
            return np.zeros(3)
        way = self._trail[0] - self._trail[-1]
        far = length(way)
        return way / far if far > LEAST_WAY_M else np.zeros(3)

    def _note_travel(self) -> None:
        """See how far the arm is from where the stop met it."""
        joint = self._plant.read().joint_position_rad
        if np.isfinite(joint).all():
            away_m = self._kinematics.forward(joint)[0] - self._stopped_m
            self.stop_travel_m = max(self.stop_travel_m, float(np.linalg.norm(away_m)))

    def _freeze(self) -> None:
        """Be at rest where the arm is measured to be."""
        self._trail.clear()
        joint = self._plant.read().joint_position_rad
        if np.isfinite(joint).all():
            self._controller.anchor(joint)
            self._plant.command(joint, self._gripper)
