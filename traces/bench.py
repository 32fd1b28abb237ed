"""What recording costs: `python -m traces.bench`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from traces import names
from traces.recorder import Recorder

ROUNDS = 5_000


def main() -> None:
    """Print median and 99th percentile of the hot path, microseconds."""
    actions = np.zeros((16, 7), np.float32)
    start = {names.CHUNK_ID: 3, names.CHUNK_REF: "0" * 64, names.CHUNK_RATE_HZ: 20.0}
    after = {names.STATE_HASH: "0" * 64, names.BODY_TIME_S: 1.25, names.GUARD_DECISION: "pass"}
    with tempfile.TemporaryDirectory() as folder, Recorder.open(Path(folder), {}) as recorder:

        def bare() -> None:
            with recorder.span("chunk 3", start):
                pass

        def reported() -> None:
            with recorder.span("chunk 3", start) as span:
                span.update(after)

        def logged() -> None:
            recorder.log(names.STEP, {names.GUARD_STEP: 3})

        def stored() -> None:
            actions[0, 0] += 1.0
            recorder.arrays(actions=actions)

        with recorder.span(names.COMMAND):
            _report("span, 3 attributes at start", bare)
            _report("span, 3 at start and 3 after", reported)
            _report("log record", logged)
            _report("new blob, 16 x 7 float32", stored)
            _report("sync to disk", recorder.sync, 50)


def _report(label: str, work: Callable[[], None], rounds: int | None = None) -> None:
    took_us = []
    for _ in range(rounds or ROUNDS):
        began = time.perf_counter_ns()
        work()
        took_us.append((time.perf_counter_ns() - began) / 1e3)
    p50, p99 = np.percentile(took_us, [50, 99])
    sys.stdout.write(f"{label:32s} p50 {p50:8.1f} us   p99 {p99:8.1f} us\n")


if __name__ == "__main__":
    main()
