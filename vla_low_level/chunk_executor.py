"""Receding horizon: a policy drives a robot, chunk after chunk.

In lockstep: look, think, carry out the first rows, again. In real time the next chunk is computed while
the current one runs, from an observation that is old when the chunk is ready: what has passed since is
left out, and the rest takes over in one motion with what is still running (`vla_low_level.seams`).
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from traces.errors import TandemError
from vla_low_level.flight import ChunkLog, Drop, Executed, Flight
from vla_low_level.inference import Inference, ThreadInference
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, Policy, PolicyOutput
from vla_low_level.robot import Clock, Decision, ExecutionReport, Robot, streaming
from vla_low_level.seams import SMOOTH, Blend

# How long a look at the body is put off while nothing is expected.
POLL_S = 0.02
# So often a policy that does not think ahead may be too late before it is said to be slow.
LATE_IN_A_ROW = 10


def _came_late(report: ExecutionReport) -> bool:
    """Its body keeps a clock of its own, and refused the chunk for nothing but its age."""
    verdict = report.verdict
    return verdict.decision is Decision.HOLD and verdict.step == -1 and verdict.limit == Drop.EXPIRED


class _Silent:
    def before(self, observation: Observation, output: PolicyOutput) -> None: ...

    def after(self, executed: Executed) -> None: ...


class ChunkExecutor:
    """Drives a robot by a policy. Use it from one thread; `cancel` comes from any.

    Attributes:
        dropped: How many chunks were not used, by reason.
        starved: How often the arm had come to rest before the next chunk came.
    """

    def __init__(
        self,
        robot: Robot,
        policy: Policy,
        clock: Clock,
        *,
        blend: Blend = SMOOTH,
        chunk_ids: Iterator[int] | None = None,
        inference: Callable[[Policy], Inference] = ThreadInference,
    ) -> None:
        """Nothing moves until `run`.

        Args:
            robot: In real time one that can be streamed to.
            policy: What decides.
            clock: The robot's.
            blend: How chunks are joined in real time.
            chunk_ids: Numbers of the chunks; share one among the executors of a command.
            inference: Makes what asks the policy in real time.

        Raises:
            TandemError: `NO_STREAM` in real time when the robot takes one chunk at a time.
        """
        self._robot, self._policy = robot, policy
        self._stream = streaming(robot) if clock == "realtime" else None
        self._blend = blend
        self._chunk_ids = chunk_ids if chunk_ids is not None else itertools.count()
        self._inference = inference
        self._cancelled = threading.Event()
        self.dropped: Counter[Drop] = Counter()
        self.starved = 0

    def cancel(self) -> None:
        """Hold and end the run soon. From any thread or a signal handler; for at once there is `stop`."""
        self._cancelled.set()

    def run(self, instruction: Instruction, log: ChunkLog | None = None) -> Generator[Executed]:
        """Carry out chunks until the caller leaves the loop, a stop is latched, or `cancel`.

        A chunk comes out when it is over. In real time the next one runs already by then, what the caller
        does meanwhile delays the next look, and leaving the loop holds the arm. Chunks that never began
        because of their timing are counted, not yielded; `log` hears of all that were sent. Resets the
        policy.

        Raises:
            TandemError: `BODY_LOST`.
            Exception: What the policy raises, after the arm has been told to hold.
        """
        self._policy.reset()
        told = log or _Silent()
        return self._in_lockstep(instruction, told) if self._stream is None else self._live(instruction, told)

    def _in_lockstep(self, instruction: Instruction, log: ChunkLog) -> Generator[Executed]:
        """Look, think, carry out the first rows, again; anew where the thinking took too long."""
        late = 0
        while not self._cancelled.is_set():
            observation = self._robot.observe(self._policy.cameras)
            try:
                output = self._policy.act(observation, instruction)
            except BaseException:
                self._hold()
                raise
            rows = output.chunk.actions[: self._policy.replan_rows]
            output = replace(
                output, chunk=replace(output.chunk, actions=rows, chunk_id=next(self._chunk_ids))
            )
            log.before(observation, output)
            report = self._robot.execute(output.chunk)
            executed = Executed(observation, output, report, 0.0, observation.time_s, 0)
            log.after(executed)
            late = late + 1 if _came_late(report) else 0
            if 0 < late < LATE_IN_A_ROW:
                self.dropped[Drop.EXPIRED] += 1
                continue
            yield executed
            if report.latched:
                return
        self._hold()

    def _live(self, instruction: Instruction, log: ChunkLog) -> Generator[Executed]:
        """Real time: keep the policy busy and the arm supplied."""
        if self._stream is None:
            return
        inference = self._inference(self._policy)
        flight = Flight(self._stream, self._policy, self._blend, self._chunk_ids, log)
        self.dropped, over = flight.dropped, flight.over
        try:
            while not self._cancelled.is_set():
                output = inference.poll(flight.wait_s(POLL_S))
                flight.look_after()
                if output is not None:
                    flight.hand_over(output)
                self.starved = flight.starved
                while over:
                    executed = over.popleft()
                    yield executed
                    if executed.report.latched:
                        return
                if not inference.busy and flight.due:
                    inference.ask(flight.observe(), instruction)
        finally:
            self._hold()
            with contextlib.suppress(TandemError):
                flight.look_after()
            inference.close()

    def _hold(self) -> None:
        """Tell the arm to hold; a lost body does so by itself."""
        with contextlib.suppress(TandemError):
            self._robot.hold()
