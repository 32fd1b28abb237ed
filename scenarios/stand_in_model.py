"""An OpenAI-compatible endpoint, made to be killed: `python -m scenarios.stand_in_model PORT`.

The endpoint is real; the model behind it only knows what a few commands mean, and takes its time to say so.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from agent.planner.logical_form import LogicalForm

THINKS_S = 1.5
START_S = 60.0
PLACES = ("tray", "sink")
WORDS = "put the yellow cube in the {place}"


def reply_to(request: dict[str, Any]) -> dict[str, Any]:
    """A chat completion whose one choice says where the cube goes, with its log-probability."""
    said = str(request["messages"][-1]["content"])
    place = next(place for place in PLACES if WORDS.format(place=place) in said)
    step = {"do": "put", "what": [{"kind": "cube", "hue": "yellow"}], "to": place}
    text = LogicalForm.model_validate({"steps": [step]}, strict=False).text()
    sure = {"content": [{"token": text, "logprob": -0.01}]}
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop", "logprobs": sure}]}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(THINKS_S)
        body = json.dumps(reply_to(request)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class StandIn:
    """The process, at one port for its many lives; a context manager.

    Attributes:
        spec: How a planner names it.
    """

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.spec = f"openai:http://127.0.0.1:{self._port}/v1#stand-in"

    def begin(self) -> None:
        """Start it and wait until it listens. Raises TimeoutError."""
        words = [sys.executable, "-m", "scenarios.stand_in_model", str(self._port)]
        self._process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s:
            with socket.socket() as line:
                if line.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError("the endpoint does not listen")

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
