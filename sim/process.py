"""The body's process: `python -m sim.process --channel-fd N --stop-fd M`. Started by `sim.robot`.

Two sockets lead here. Requests come over one; a byte on the other stops the arm, whatever the first one
is busy with. When the mind's end closes, because it died, the process ends.
"""

from __future__ import annotations

import argparse
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any

from sim.channel import Channel
from sim.darkroom import Darkroom
from sim.messages import from_observation, from_progress, from_report, to_limits
from sim.scene import PlacedScene
from sim.world import World
from traces.errors import TandemError
from vla_low_level.body import Body
from vla_low_level.guard import ChunkHeader
from vla_low_level.observation import Observation
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.robot import Decision, Seam, Verdict
from vla_low_level.wire import Message

if TYPE_CHECKING:
    from sim.faults.plant import FaultyPlant

PERIOD_S = 1.0 / CONTROL_HZ
# Further behind than this, the clock goes on from now: a burst of steps would move the arm too fast.
LAG_S = 5 * PERIOD_S
REASON_BYTES = 200
START_S = 60.0


class Server:
    """Serves one mind until it closes."""

    def __init__(self, channel: Channel, stop_line: socket.socket, start: Message) -> None:
        told = start.fields["content"]
        self._channel = channel
        self._stop_line = stop_line
        self._stop_line.settimeout(0)
        self._realtime = told["clock"] == "realtime"
        self._privileged = bool(told["privileged"])
        self._world = World(PlacedScene.model_validate(told["scene"]))
        clock = time.monotonic if self._realtime else None
        self._faulty = _faulty(self._world, told["faults"], clock)
        self._body = Body(
            self._faulty or self._world,
            self._world.embodiment.kinematics(),
            self._world.embodiment.limits if told["limits"] is None else to_limits(told["limits"]),
            self._world.embodiment.home_rad,
            clock,
        )
        self._stopped_at_s: float | None = None
        self._running: int | None = None
        self._queued: Message | None = None
        self._open = True
        self._darkroom = Darkroom()
        # A fault remembers what it has shown, which a copy of this process would forget.
        self._elsewhere = self._realtime and self._faulty is None
        # The request that moves the arm, the trace context it came with, and when; for the mind's record.
        self._work: tuple[int, str, int] = (-1, "", 0)

    def run(self) -> None:
        """Serve until the mind closes or dies."""
        due_s = time.monotonic()
        try:
            while self._open:
                self._poll_stop()
                while self._open and (message := self._channel.receive()) is not None:
                    # Whoever stopped before asking wants the stop first.
                    self._poll_stop()
                    self._serve(message)
                self._develop()
                now_s = time.monotonic()
                if self._realtime and now_s >= due_s:
                    self._tick()
                    due_s = now_s if now_s - due_s > LAG_S else due_s + PERIOD_S
                self._channel.flush()
                self._wait(due_s)
        except ConnectionError:
            self._body.hold()
        finally:
            self._world.close()

    def _wait(self, due_s: float) -> None:
        """Sleep until a socket has something or, in real time, the next step is due."""
        if not self._open:
            return
        left_s = max(0.0, due_s - time.monotonic()) if self._realtime else None
        channel = self._channel.fileno()
        writers = [channel] if self._channel.unsent else []
        readers = [channel, self._stop_line.fileno(), *self._darkroom.filenos]
        select.select(readers, writers, [], left_s)

    def _poll_stop(self) -> bool:
        """Stop the arm if that was asked for since the last look. A closed line stops it as well."""
        try:
            reason = self._stop_line.recv(REASON_BYTES)
        except BlockingIOError:
            return False
        self._body.stop(reason.decode(errors="replace") or "line_closed")
        self._stopped_at_s = time.monotonic()
        if not reason:
            raise ConnectionResetError("the stop line has closed")
        return True

    def _serve(self, message: Message) -> None:
        """Answer a request; an answer to `execute` may come later."""
        content, request = message.fields["content"], message.fields["id"]
        try:
            if message.kind == "execute":
                self._work = (request, message.fields.get("traceparent", ""), time.monotonic_ns())
                self._execute(message)
            elif message.kind == "observe" and content["cameras"] and self._elsewhere:
                seen = self._body.observe()
                self._darkroom.take(request, lambda: self._photograph(seen, content["cameras"]))
            else:
                self._reply(request, self._answer(message, content))
        except TandemError as error:
            self._reply(request, _told(error))

    def _answer(self, message: Message, content: dict[str, Any]) -> Message:
        match message.kind:
            case "stream":
                return self._take(message, content)
            case "progress":
                return from_progress(self._body.progress())
            case "observe":
                if self._faulty:
                    self._faulty.awake()
                return from_observation(self._body.observe(content["cameras"]))
            case "hold":
                self._body.hold()
            case "reset":
                self._body.reset()
            case "truth":
                if not self._privileged:
                    raise TandemError("TRUTH_FORBIDDEN", "this robot was started without privilege")
                # Imported only here: an unprivileged body works without the truth being there at all.
                from sim.truth import read_truth

                return Message("truth", read_truth(self._world).model_dump(mode="json"))
            case "close":
                self._open = False
            case kind:
                raise TandemError("BODY_REQUEST", f"no request called {kind!r}")
        return Message("done")

    def _photograph(self, seen: Observation, cameras: list[str]) -> Message:
        """In a copy of this process: what was sensed when it was made, with pictures."""
        try:
            return from_observation(replace(seen, images=self._world.capture(cameras)))
        except TandemError as error:
            return _told(error)

    def _develop(self) -> None:
        """Hand out pictures that are ready."""
        for request, answer in self._darkroom.finished():
            lost = TandemError("CAMERA_LOST", "the process that took the picture has died", fix="try again")
            self._reply(request, answer or _told(lost))

    def _take(self, message: Message, content: dict[str, Any]) -> Message:
        """Put a chunk in line behind the one that runs."""
        if not self._realtime:
            raise TandemError("NO_STREAM", "in lockstep no time passes between chunks", fix="use execute")
        if self._running is not None:
            raise TandemError("BODY_BUSY", "a chunk is being executed", fix="hold first, or wait for its end")
        self._body.stream(*self._chunk(message), _seam(content.get("seam")))
        return from_progress(self._body.progress())

    def _chunk(self, message: Message) -> tuple[object, ChunkHeader]:
        """The chunk that a message brings, as it reaches the controller."""
        actions, header = message.arrays.get("actions"), _header(message.fields["content"])
        return self._faulty.chunk(actions, header) if self._faulty else (actions, header)

    def _execute(self, message: Message) -> None:
        actions, header = self._chunk(message)
        if self._realtime and (self._running is not None or self._body.moving):
            if self._queued is not None:
                self._refuse(self._queued)
            self._queued = message
        elif self._realtime:
            self._body.begin(actions, header)
            self._running = message.fields["id"]
            self._finish()
        else:
            most = message.fields["content"]["max_steps"]
            report = self._body.execute(actions, header, stop_requested=self._poll_stop, max_steps=most)
            self._reply(message.fields["id"], from_report(report))

    def _tick(self) -> None:
        self._body.tick()
        self._finish()

    def _finish(self) -> None:
        """Report a chunk that has ended, and begin on the one that waits."""
        if self._body.moving:
            return
        if self._running is not None:
            self._reply(self._running, from_report(self._body.report()))
        self._running, queued, self._queued = None, self._queued, None
        if queued is not None:
            self._execute(queued)

    def _refuse(self, message: Message) -> None:
        """A newer chunk has come before this one had its turn."""
        verdict = Verdict(Decision.HOLD, "superseded")
        report = replace(self._body.report(), verdict=verdict, clamps=0, rows_executed=0, steps_executed=0)
        self._reply(message.fields["id"], from_report(report))

    def _reply(self, request: int, answer: Message) -> None:
        told: dict[str, Any] = {
            "id": request,
            "stopped_at_s": self._stopped_at_s,
            "stop_travel_m": self._body.stop_travel_m,
            "latched": self._body.latched,
            "content": dict(answer.fields),
        }
        if self._work[0] == request:
            told["work"] = [*self._work[1:], time.monotonic_ns()]
        if self._faulty and self._faulty.happened:
            told["faults"] = [astuple(item) for item in self._faulty.happened]
            self._faulty.happened.clear()
        self._channel.send(Message(answer.kind, told, answer.arrays))


def _told(error: TandemError) -> Message:
    return Message("error", {"code": error.code, "message": error.message, "fix": error.fix})


def _faulty(
    world: World, told: dict[str, Any] | None, clock: Callable[[], float] | None
) -> FaultyPlant | None:
    """What is to go wrong around the world; None when nothing is."""
    if told is None:
        return None
    # Imported only here: nothing of a run without faults depends on them.
    from sim.faults.plant import FaultyPlant
    from sim.faults.spec import Injection

    return FaultyPlant(world, Injection.model_validate(told), clock)


def _header(content: dict[str, Any]) -> ChunkHeader:
    """A chunk's fields; what is not a number becomes one that the guard refuses."""
    number = content.get("chunk_id")
    chunk_id = number if type(number) is int else -1
    return ChunkHeader(_number(content.get("rate_hz")), _number(content.get("expires_s")), chunk_id)


def _seam(told: object) -> Seam | None:
    """Where to take over; what is not two numbers means the next end of a row."""
    match told:
        case [int(chunk_id), int(rows)]:
            return Seam(chunk_id, rows)
    return None


def _number(value: object) -> float:
    try:
        return float(value) if isinstance(value, (int, float)) else float("nan")
    except OverflowError:
        return float("nan")


def main() -> None:
    """Serve over the two inherited sockets."""
    # Ctrl-C goes to the whole group; what happens to the arm is the mind's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel-fd", type=int, required=True)
    parser.add_argument("--stop-fd", type=int, required=True)
    arguments = parser.parse_args()
    channel = Channel(socket.socket(fileno=arguments.channel_fd))
    with socket.socket(fileno=arguments.stop_fd) as stop_line:
        try:
            start = channel.wait(time.monotonic() + START_S)
            if start is not None:
                Server(channel, stop_line, start).run()
        except ConnectionError:
            pass
        finally:
            channel.close()


if __name__ == "__main__":
    main()
