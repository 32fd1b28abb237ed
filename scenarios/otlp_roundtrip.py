"""OTLP against a real receiver: `make test-otlp` (Arize Phoenix, in an environment of its own).

Starts Phoenix, sends recorded runs, reads every span back through Phoenix's API and compares names,
parents, kinds and attributes with what was sent.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from traces import names
from traces.otlp import otlp_spans, send
from traces.reader import read_run
from traces.run import Run

START_S = 900.0
ARRIVE_S = 60.0
PAGE = 500


@contextlib.contextmanager
def phoenix(python: Path) -> Iterator[str]:
    """A Phoenix server on free ports with an empty store; gives its address."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb+") as log:
        port, grpc = _free_port(), _free_port()
        environment = {
            **os.environ,
            "PHOENIX_WORKING_DIR": folder,
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(grpc),
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        command = [str(python), "-m", "phoenix.server.main", "serve"]
        with subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder) as server:
            try:
                _wait(f"http://127.0.0.1:{port}", server, log)
                yield f"http://127.0.0.1:{port}"
            finally:
                server.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, server: subprocess.Popen[bytes], log: Any) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url + "/healthz", timeout=2, trust_env=False).status_code == 200:
                return
        time.sleep(0.5)
    log.seek(0)
    raise SystemExit("Phoenix did not start:\n" + log.read()[-2000:].decode(errors="replace"))


def read_back(url: str, trace_id: str, count: int) -> dict[str, dict[str, Any]]:
    """Spans of a trace by id, as soon as all have arrived."""
    until = time.monotonic() + ARRIVE_S
    found: dict[str, dict[str, Any]] = {}
    while time.monotonic() < until and len(found) < count:
        cursor: str | None = None
        while True:
            asked: dict[str, str | int] = {
                "limit": PAGE,
                "trace_id": trace_id,
                **({"cursor": cursor} if cursor else {}),
            }
            answer = httpx.get(f"{url}/v1/projects/default/spans", params=asked, timeout=30, trust_env=False)
            told = answer.raise_for_status().json()
            spans = [s for s in told["data"] if s["context"]["trace_id"] == trace_id]
            found |= {span["context"]["span_id"]: span for span in spans}
            cursor = told.get("next_cursor")
            if not cursor:
                break
        time.sleep(0.5)
    return found


def compare(run: Run, found: dict[str, dict[str, Any]]) -> list[str]:
    """What does not come back as it was sent."""
    wrong = []
    for span in otlp_spans(run):
        context = span.get_span_context()
        back = found.get(f"{context.span_id:016x}") if context else None
        if back is None:
            wrong.append(f"{span.name} did not arrive")
            continue
        kind = (span.attributes or {}).get(names.OPENINFERENCE_KIND, "UNKNOWN")
        sent = (span.name, f"{span.parent.span_id:016x}" if span.parent else None, kind)
        if sent != (back["name"], back["parent_id"], back["span_kind"]):
            wrong.append(f"{sent} came back as {back['name'], back['parent_id'], back['span_kind']}")
        told = back["attributes"]
        lost = [
            key
            for key, value in (span.attributes or {}).items()
            if not _same(key, value, told) and "." in key
        ]
        wrong += [f"{span.name}: {key} came back otherwise" for key in lost]
    return wrong


def _same(key: str, value: object, told: dict[str, Any]) -> bool:
    if key == names.OPENINFERENCE_KIND:
        return True
    back = told.get(key)
    return list(value) == back if isinstance(value, tuple) else value == back


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("python", type=Path, help="the Python of an environment that has arize-phoenix")
    parser.add_argument("runs", type=Path, nargs="+", help="recorded runs to send")
    args = parser.parse_args()
    sent, wrong = 0, []
    with phoenix(args.python.absolute()) as url:
        for folder in args.runs:
            run = read_run(folder)
            count = send(run, url)
            sent += count
            wrong += compare(run, read_back(url, run.trace_id, count))
    sys.stdout.write(
        json.dumps({"runs": len(args.runs), "spans": sent, "wrong": wrong[:20]}, indent=1) + "\n"
    )
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
