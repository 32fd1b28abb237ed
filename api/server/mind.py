"""The mind's process: `python -m api.server.mind --socket PATH`. Started by `api.server.link`.

It holds the models, the body and the stop's listener, and outlives the server: when that dies, what runs is
ended and the arm holds; a new server finds the robot where the old one has left it. Without a server for
`ALONE_S` it ends.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from api.options import RunOptions
from api.server.eyes import Eyes
from api.server.line import Line
from api.server.told import scene_json
from api.server.worker import Order, Worker
from api.standing import Standing, open_standing
from traces.errors import TandemError
from vla_low_level.wire import Message

ALONE_S = 60.0
ROBOT_LOST = 70
STOP_START_S = 60.0


class Mind:
    """Serves one server after the other."""

    def __init__(self, standing: Standing, listener: socket.socket) -> None:
        self._standing = standing
        self._listener = listener
        self._line: Line | None = None
        self._over = threading.Event()
        self._why: TandemError | None = None
        self.worker = Worker(standing, self._send)
        self.eyes = Eyes(standing, self._send, self._lost)

    def run(self) -> None:
        """Serve until told to quit, or alone for too long. Raises `TandemError` when the body is lost."""
        threads = [threading.Thread(target=each.run, daemon=True) for each in (self.worker, self.eyes)]
        for thread in threads:
            thread.start()
        self._listener.settimeout(ALONE_S)
        with contextlib.suppress(TimeoutError, OSError):
            while not self._over.is_set():
                stream, _ = self._listener.accept()
                stream.settimeout(None)
                self._serve(stream)
        self.worker.interrupt()
        self.worker.finish()
        threads[0].join(30.0)
        self.eyes.close()
        threads[1].join(5.0)
        if self._why is not None:
            raise self._why

    def quit(self) -> None:
        """Let `run` return."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        if (line := self._line) is not None:
            line.hang_up()

    def _serve(self, stream: socket.socket) -> None:
        # The stop line goes along, so that the server too can stop the arm without asking anybody.
        socket.send_fds(stream, [b"\0"], [self._standing.robot.stop_fileno()])
        line = Line(stream)
        self._line = line
        scene = self._standing.memory.scene
        told = {"busy": self.worker.busy, "pid": os.getpid(), "scene": scene and scene_json(scene)}
        line.send(Message("hello", told))
        for message in line.receive():
            try:
                self._do(message.kind, dict(message.fields))
            except TandemError as error:
                told = {"code": error.code, "message": error.message, "fix": error.fix}
                line.send(Message("problem", told))
            if self._over.is_set():
                break
        self._line = None
        self.worker.interrupt()
        line.close()

    def _do(self, kind: str, told: dict[str, Any]) -> None:
        match kind:
            case "start":
                folder = Path(told["folder"])
                self.worker.order(Order(told["command"], told["instruction"], folder, told["resumes"]))
            case "cancel":
                self.worker.cancel(told["command"])
            case "answer":
                self.worker.answer(told["command"], told["question"], told["text"])
            case "amend":
                self.worker.amend(told["command"], told["text"])
            case "reset":
                self._standing.robot.reset(told["reason"])
                self._send(Message("was_reset", {"reason": told["reason"]}))
            case "watch":
                self.eyes.watch(told["camera"])
            case "quit":
                self.quit()

    def _send(self, message: Message) -> None:
        if (line := self._line) is not None:
            line.send(message)

    def _lost(self, error: TandemError) -> None:
        """Without a body there is nothing to serve; the server starts another one."""
        self._why = error
        self.worker.interrupt()
        self.quit()


def _listen(path: Path) -> socket.socket:
    """A socket that only this user can reach."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(4)
    return listener


def _stop_listener(standing: Standing, told: dict[str, Any]) -> subprocess.Popen[bytes]:
    """The stop's own process; it ends with the body. Raises `TandemError` (`PORT_TAKEN`)."""
    line = standing.robot.stop_fileno()
    words = ["-m", "api.server.stop_listener", f"--fd={line}", f"--config={json.dumps(told)}"]
    process = subprocess.Popen(
        [sys.executable, *words], pass_fds=(line,), stdin=subprocess.DEVNULL, process_group=0
    )
    until_s = time.monotonic() + STOP_START_S
    while process.poll() is None and time.monotonic() < until_s:
        with contextlib.suppress(OSError), socket.create_connection((told["host"], told["port"]), 1.0):
            return process
        time.sleep(0.05)
    process.kill()
    address = f"{told['host']}:{told['port']}"
    raise TandemError(
        "PORT_TAKEN", f"the stop's listener cannot listen at {address}", fix="choose another --stop-port"
    )


def _options(told: dict[str, Any]) -> RunOptions:
    known = {item.name for item in fields(RunOptions)}
    paths = {name: Path(told[name]) for name in ("weights",) if told.get(name)}
    values: dict[str, Any] = {k: v for k, v in told.items() if k in known} | paths
    return RunOptions(**{"clock": "realtime", **values})


def main() -> None:
    """Serve over a socket of this name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--robot", required=True, help="JSON: fields of `RunOptions`")
    parser.add_argument("--stop", required=True, help="JSON: host, port and origins of the stop's listener")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with open_standing(_options(json.loads(arguments.robot))) as standing:
            stopper = _stop_listener(standing, json.loads(arguments.stop))
            try:
                with _listen(arguments.socket) as listener:
                    mind = Mind(standing, listener)
                    signal.signal(signal.SIGTERM, lambda *_: mind.quit())
                    mind.run()
            finally:
                arguments.socket.unlink(missing_ok=True)
                stopper.terminate()
                stopper.wait(5.0)
    except TandemError as error:
        sys.stderr.write(json.dumps({"code": error.code, "message": error.message, "fix": error.fix}) + "\n")
        sys.exit(ROBOT_LOST)


if __name__ == "__main__":
    main()
