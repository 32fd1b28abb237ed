"""A real `tandem serve` in a folder of its own, for measuring and for killing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx

from api.server.settings import TOKEN_FILE
from scenarios.traffic import cpu_s

START_S = 300.0
REPLY_S = 60.0
POLL_S = 0.02
STILL_M = 0.002
REST_S = 0.5
PROCESSES = {"mind": "api.server.mind", "body": "sim.process", "stop": "api.server.stop_listener"}


class Service:
    """The server and its processes; a context manager."""

    def __init__(self, folder: Path, port: int, scene: str, planner: str) -> None:
        self._folder = folder
        self._options = ["--scene", scene, "--planner", planner]
        self._port = port
        self.url = f"http://127.0.0.1:{port}"
        self._stop_url = f"http://127.0.0.1:{port + 1}/v1/robot/stop"
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(timeout=REPLY_S, verify=False)
        self.token = ""

    @classmethod
    @contextlib.contextmanager
    def start(cls, scene: str = "one_of_each", planner: str = "embedded") -> Iterator[Self]:
        """Start it and wait until the robot is ready."""
        with tempfile.TemporaryDirectory() as folder:
            service = cls(Path(folder), _free_port(), scene, planner)
            service.begin()
            try:
                yield service
            finally:
                service.end()

    @property
    def link(self) -> str:
        """What a person opens."""
        return f"{self.url}/#token={self.token}"

    @property
    def runs(self) -> Path:
        """Where its commands are recorded."""
        return self._folder / "runs"

    def begin(self) -> float:
        """Start the server process; returns how long it took until the robot was ready, s."""
        began = time.monotonic()
        environment = {**os.environ, "TANDEM_STATE": str(self._folder / "state")}
        places = ["--port", str(self._port), "--runs", str(self.runs)]
        words = ["serve", *self._options, *places]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", *words], env=environment, stderr=subprocess.DEVNULL
        )
        self.wait(lambda: self.robot()["state"] not in ("starting", "lost"), START_S)
        return time.monotonic() - began

    def end(self) -> None:
        """End it as Ctrl-C does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
        self._http.close()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request; its answer. Raises httpx's errors."""
        self.token = self.token or (self._folder / "state" / TOKEN_FILE).read_text().strip()
        headers = {"authorization": f"Bearer {self.token}"}
        response = self._http.request(method, self.url + path, json=body, headers=headers)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A POST; its answer."""
        return self.ask("POST", path, body)

    def robot(self) -> dict[str, Any]:
        """The robot; one that is starting while nobody answers."""
        try:
            return self.ask("GET", "/v1/robot")
        except (httpx.HTTPError, OSError):
            return {"state": "starting"}

    def wait_until_it_moves(self) -> bool:
        """Whether the arm set out within half a minute."""
        home = self.robot()["ee_position_m"]
        with contextlib.suppress(TimeoutError):
            self.wait(lambda: apart_m(self.robot()["ee_position_m"], home) > STILL_M, 30.0)
            return True
        return False

    def timed_stop(self) -> float:
        """From sending a stop to its own listener to the targets being overwritten, s."""
        began = time.monotonic()
        self._http.post(self._stop_url).raise_for_status()
        self.wait(lambda: (self.robot()["stopped_s"] or 0.0) >= began, REPLY_S)
        return float(self.robot()["stopped_s"]) - began

    def stop_travel_m(self) -> float:
        """How far the arm went after the stop, once it has come to rest, m."""
        time.sleep(REST_S)
        return float(self.robot()["stop_travel_m"])

    def free(self) -> None:
        """Wait until nothing runs, then clear the latch."""
        self.wait(lambda: self.robot()["command"] is None and self.robot()["state"] == "stopped", REPLY_S)
        self.post("/v1/robot/reset", {"reason": "measuring"})

    def process_id(self, who: str) -> int:
        """Of a process of this service."""
        if who == "server":
            return self._process.pid if self._process else 0
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                words = (folder / "cmdline").read_bytes().decode(errors="replace")
                if PROCESSES[who] in words and self._is_ours(folder, words):
                    return int(folder.name)
        return 0

    def cpu_s(self) -> dict[str, float]:
        """Processor time of each process so far, s."""
        return {who: cpu_s(self.process_id(who)) for who in ("server", *PROCESSES)}

    def kill(self, who: str) -> float:
        """Kill -9 a process, start the server again where it was that; how long until it is ready, s."""
        os.kill(self.process_id(who), signal.SIGKILL)
        began = time.monotonic()
        if who == "server" and self._process is not None:
            self._process.wait()
            return self.begin()
        self.wait(lambda: self.robot()["state"] in ("starting", "lost"), REPLY_S)
        self.wait(lambda: self.robot()["state"] not in ("starting", "lost"), START_S)
        return time.monotonic() - began

    def _is_ours(self, folder: Path, words: str) -> bool:
        """Whether a process belongs to this service: it, or its parent, names our folder."""
        if str(self._folder) in words or str(self._port + 1) in words:
            return True
        parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        return str(self._folder) in Path(f"/proc/{parent}/cmdline").read_text()

    def wait(self, so: Callable[[], Any], most_s: float) -> None:
        """Until it is so. Raises TimeoutError."""
        until_s = time.monotonic() + most_s
        while not so():
            if time.monotonic() > until_s:
                raise TimeoutError
            time.sleep(POLL_S)


def apart_m(here: list[float], there: list[float]) -> float:
    """Distance of two points, m; 0 where one is not known."""
    return sum((a - b) ** 2 for a, b in zip(here, there, strict=True)) ** 0.5 if here and there else 0.0


def _free_port() -> int:
    """A port whose successor is free as well, as far as one can tell."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
