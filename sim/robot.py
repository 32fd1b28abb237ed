"""The mind's handle on a simulated body that lives in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from sim.channel import Channel
from sim.faults.happening import Happening
from sim.messages import from_limits, to_observation, to_progress, to_report
from sim.scene import PlacedScene
from traces.context import trace_headers
from traces.errors import TandemError
from vla_low_level.action import ActionChunk
from vla_low_level.limits import Limits
from vla_low_level.observation import Observation
from vla_low_level.robot import Clock, ExecutionReport, Progress, Seam
from vla_low_level.wire import Message, WireError

if TYPE_CHECKING:
    from sim.faults.spec import Injection
    from sim.truth import SceneTruth

START_TIMEOUT_S = 120.0
REPLY_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 3.0
PYBULLET_GREETING = "pybullet build time"
ROOT = Path(__file__).resolve().parents[1]


class SimRobot:
    """An arm at a simulated table. Implements `Robot`, in real time `StreamingRobot`; a context manager.

    Calls may come from any thread, one at a time; `stop` at any time, also from a signal handler.

    Attributes:
        privileged: Whether `truth` may be asked for.
        stopped_at_s: `time.monotonic()` when the body last wrote the targets of a stop, as far as answers
            have told; None before the first.
        stop_travel_m: How far at most the tool centre point went from where the last stop met it, likewise.
        latched: Why the body is stopped, as far as answers have told; empty when it is not.
        on_fault: Told of every injected fault that has begun or ended, in the body's own order.
        on_work: Told of every chunk that the body has carried out: the trace context that was sent along, and
            `time.monotonic_ns()` at its beginning and end.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], channel: Channel, stop_line: socket.socket, log: IO[bytes]
    ) -> None:
        self._process = process
        self._channel = channel
        self._stop_line = stop_line
        self._log = log
        self._turn = threading.Lock()
        self._requests = 0
        self._timeout_s = START_TIMEOUT_S
        self._closed = False
        self.privileged = False
        self.stopped_at_s: float | None = None
        self.stop_travel_m = 0.0
        self.latched = ""
        self.on_fault: Callable[[Happening], None] | None = None
        self.on_work: Callable[[str, int, int], None] | None = None

    @classmethod
    def start(
        cls,
        placed: PlacedScene,
        *,
        clock: Clock = "lockstep",
        privileged: bool = False,
        limits: Limits | None = None,
        faults: Injection | None = None,
    ) -> SimRobot:
        """Start a body. Returns at once; the first request waits until the world stands.

        `limits` replace the ones of the scene's arm; `faults` are what is to go wrong.
        """
        ours, theirs = socket.socketpair()
        stop_ours, stop_theirs = socket.socketpair()
        stop_ours.settimeout(0)
        log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the robot)
        with theirs, stop_theirs:
            process = _spawn(theirs.fileno(), stop_theirs.fileno(), log)
        robot = cls(process, Channel(ours), stop_ours, log)
        robot.privileged = privileged
        told = {
            "scene": placed.model_dump(mode="json"),
            "clock": clock,
            "privileged": privileged,
            "limits": limits and from_limits(limits),
            "faults": faults.model_dump(mode="json") if faults and faults.faults else None,
        }
        with contextlib.suppress(ConnectionError):
            # A body that died at once is reported by the first request.
            robot._channel.send(Message("start", {"id": 0, "content": told}))
        return robot

    @property
    def process_id(self) -> int:
        """Of the body's process."""
        return self._process.pid

    def stop_fileno(self) -> int:
        """The stop line, for a process that shall be able to stop the arm too: bytes in it are the reason."""
        return self._stop_line.fileno()

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        """Sense now. Raises `TandemError` (`CAMERA_UNKNOWN`, `BODY_LOST`)."""
        return to_observation(self._ask("observe", {"cameras": list(cameras)}))

    def execute(self, chunk: ActionChunk, max_steps: int | None = None) -> ExecutionReport:
        """Carry out a chunk. Raises `TandemError` (`BODY_LOST`).

        Args:
            chunk: The motion.
            max_steps: In lockstep, latch a stop after so many 240 Hz steps: replays a recorded one.
        """
        told = {**_header(chunk), "max_steps": max_steps}
        return to_report(self._ask("execute", told, {"actions": chunk.actions}))

    def stream(self, chunk: ActionChunk, seam: Seam | None = None) -> Progress:
        """Hand over a chunk and return at once; see `StreamingRobot`.

        Raises `TandemError` (`BODY_LOST`; `NO_STREAM` in lockstep; `BODY_BUSY` while `execute` runs).
        """
        told = {**_header(chunk), "seam": seam and [seam.chunk_id, seam.rows]}
        return to_progress(self._ask("stream", told, {"actions": chunk.actions}))

    def progress(self) -> Progress:
        """How far the body is with what was streamed to it. Raises `TandemError` (`BODY_LOST`)."""
        return to_progress(self._ask("progress", {}))

    def hold(self) -> None:
        """Drop the chunk that runs and stay."""
        self._ask("hold", {})

    def stop(self, reason: str) -> None:
        """Stop at once and latch. Never waits; when the body is gone there is nothing to stop."""
        with contextlib.suppress(OSError):
            self._stop_line.send((reason or "stop").encode(errors="replace")[:200])

    def reset(self, reason: str) -> None:
        """Clear the latch. The arm stays where it is."""
        self._ask("reset", {"reason": reason})

    def truth(self) -> SceneTruth:
        """What is really so. Raises `TandemError` (`TRUTH_FORBIDDEN`) unless started with privilege."""
        if not self.privileged:
            raise TandemError("TRUTH_FORBIDDEN", "this robot was started without privilege")
        from sim.truth import SceneTruth

        return SceneTruth.model_validate(self._ask("truth", {}).fields)

    def close(self) -> None:
        """Hold, then end the body. Idempotent."""
        if self._closed:
            return
        with contextlib.suppress(TandemError):
            self._timeout_s = CLOSE_TIMEOUT_S
            self._ask("close", {})
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, kind: str, content: dict[str, Any], arrays: Mapping[str, Any] | None = None) -> Message:
        """Send a request and wait for its answer."""
        with self._turn:
            if self._closed:
                raise TandemError("BODY_LOST", "the robot is closed", fix="start another one")
            self._requests += 1
            try:
                told = {"id": self._requests, "content": content, **trace_headers()}
                self._channel.send(Message(kind, told, arrays or {}))
                answer = self._answer(self._requests)
            except (ConnectionError, WireError) as error:
                raise self._lost(str(error)) from error
        told = answer.fields["content"]
        if answer.kind == "error":
            raise TandemError(told["code"], told["message"], fix=told["fix"])
        return Message(answer.kind, told, answer.arrays)

    def _answer(self, request: int) -> Message:
        """The answer to this request; what an interrupted one has left in the line is dropped."""
        until_s = time.monotonic() + self._timeout_s
        while (message := self._channel.wait(until_s)) is not None:
            if message.fields["id"] == request:
                self.stopped_at_s = message.fields["stopped_at_s"]
                self.stop_travel_m = message.fields["stop_travel_m"]
                self.latched = message.fields["latched"]
                if self.on_work is not None and (work := message.fields.get("work")):
                    self.on_work(*work)
                for happened in message.fields.get("faults", ()):
                    if self.on_fault is not None:
                        self.on_fault(Happening(*happened))
                self._timeout_s = REPLY_TIMEOUT_S
                return message
        raise ConnectionAbortedError(f"no answer within {self._timeout_s:.0f} s")

    def _lost(self, cause: str) -> TandemError:
        """End what is left of the body, and say what its last words were."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)
        code = self._process.poll()
        self._log.seek(0)
        lines = self._log.read()[-2000:].decode(errors="replace").strip().splitlines()
        words = [line for line in lines if not line.startswith(PYBULLET_GREETING)]
        self._release()
        state = "hangs" if code is None else f"ended with status {code}"
        last = f"; its last words: {words[-1]}" if words else ""
        return TandemError(
            "BODY_LOST", f"the body's process {state} ({cause}){last}", fix="start the command again"
        )

    def _release(self) -> None:
        """End the process and close every descriptor. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._channel.close()
        self._stop_line.close()
        try:
            self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def _header(chunk: ActionChunk) -> dict[str, Any]:
    return {"rate_hz": chunk.rate_hz, "expires_s": chunk.expires_s, "chunk_id": chunk.chunk_id}


def _spawn(channel_fd: int, stop_fd: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the process. Its stdout is dropped (PyBullet writes there), its stderr kept for `BODY_LOST`."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "sim.process", f"--channel-fd={channel_fd}", f"--stop-fd={stop_fd}"],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        pass_fds=(channel_fd, stop_fd),
        process_group=0,
    )
