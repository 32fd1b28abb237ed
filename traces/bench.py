"""What recording costs: `python -m traces.bench [--runs DIR] [--index 10000]`.

Spans on the hot path, beside OpenTelemetry's own batch processor in the same process. With recorded runs:
their size per minute, how fast `why` answers on the longest, and whether every chunk leads back to its
causes. With a number: an index of so many runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from traces import names
from traces.index import Filter, RunIndex, list_runs
from traces.reader import read_run
from traces.recorder import Recorder
from traces.run import Run
from traces.storage import RESULT_FILE, TRACE_FILE
from traces.why import resolve_all, why

ROUNDS = 5_000
TURN = 50
DISTINCT = 200
_START: dict[str, str | int | float] = {
    names.CHUNK_ID: 3,
    names.CHUNK_REF: "0" * 64,
    names.CHUNK_RATE_HZ: 20.0,
}
_AFTER: dict[str, str | int | float] = {
    names.STATE_HASH: "0" * 64,
    names.BODY_TIME_S: 1.25,
    names.GUARD_DECISION: "pass",
}


def hot_path() -> None:
    """Print median and 99th percentile of what the mind's loop calls, microseconds."""
    actions = np.zeros((16, 7), np.float32)
    with tempfile.TemporaryDirectory() as folder, Recorder.open(Path(folder), {}) as recorder:

        def reported() -> None:
            with recorder.span("chunk 3", _START) as span:
                span.update(_AFTER)

        def logged() -> None:
            recorder.log(names.STEP, {names.GUARD_STEP: 3})

        def stored() -> None:
            actions[0, 0] += 1.0
            recorder.arrays(actions=actions)

        with recorder.span(names.COMMAND):
            _beside_batch(reported)
            _report("log record", _times(logged, ROUNDS))
            _report("new blob, 16 x 7 float32", _times(stored, ROUNDS // 10))
            _report("sync to disk", _times(recorder.sync, 50))


class _Nowhere(SpanExporter):
    def export(self, spans: object) -> SpanExportResult:  # noqa: ARG002
        return SpanExportResult.SUCCESS


def _beside_batch(recorded: Callable[[], None]) -> None:
    """A span, and the same through OpenTelemetry's batch processor, which keeps nothing until it exports.

    In turns, so that both see the same machine.
    """
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_Nowhere()))
    tracer = provider.get_tracer("bench")

    def batched() -> None:
        with tracer.start_as_current_span("chunk 3", attributes=_START) as span:
            span.set_attributes(_AFTER)

    ours, theirs = [], []
    for _ in range(max(1, ROUNDS // TURN)):
        ours += _times(recorded, TURN)
        theirs += _times(batched, TURN)
    provider.shutdown()
    _report("span, 3 at start and 3 after", ours)
    _report("OpenTelemetry batch, the same", theirs)
    sys.stdout.write(f"ratio of the medians {np.median(ours) / np.median(theirs):.2f}\n")


def _times(work: Callable[[], None], rounds: int) -> list[float]:
    """How long each round took, us."""
    took_us = []
    for _ in range(max(1, rounds)):
        began = time.perf_counter_ns()
        work()
        took_us.append((time.perf_counter_ns() - began) / 1e3)
    return took_us


def _report(label: str, took_us: list[float]) -> None:
    p50, p99 = np.percentile(took_us, [50, 99])
    sys.stdout.write(f"{label:32s} p50 {p50:8.1f} us   p99 {p99:8.1f} us\n")


def recorded_runs(folder: Path) -> dict[str, object]:
    """Size, `why` and accountability of recorded runs."""
    runs = [read_run(run.folder) for run in list_runs(folder)]
    moved = [run for run in runs if run.named(names.CHUNK)]
    minutes = sum(_body_minutes(run) for run in moved)
    resolved = [resolve_all(run) for run in moved]
    longest = max(moved, key=lambda run: len(run.named(names.CHUNK)))
    last = longest.named(names.CHUNK)[-1]
    began, cpu = time.perf_counter(), time.process_time()
    why(read_run(longest.folder), last)
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    log = sum((run.folder / TRACE_FILE).stat().st_size for run in moved)
    blobs = sum(path.stat().st_size for run in moved for path in (run.folder / "blobs").iterdir())
    images = sum(_image_bytes(run) for run in moved)
    return {
        "runs": len(moved),
        "body_minutes": round(minutes, 1),
        "mb_per_minute": round((log + blobs) / 1e6 / minutes, 2),
        "of_that_log": round(log / 1e6 / minutes, 2),
        "of_that_pictures_and_depth": round(images / 1e6 / minutes, 2),
        "chunks": sum(item.chunks for item in resolved),
        "dangling": [text for item in resolved for text in item.dangling][:10],
        "longest_run_chunks": len(longest.named(names.CHUNK)),
        "why_s": round(took_s, 3),
        "why_cpu_s": round(cpu_s, 3),
    }


def _body_minutes(run: Run) -> float:
    times = [float(span.attributes.get(names.BODY_TIME_S, 0.0)) for span in run.named(names.CHUNK)]
    return max(times) / 60


def _image_bytes(run: Run) -> int:
    keys = (names.OVERHEAD_REF, names.TABLE_REF, names.WRIST_REF, names.DEPTH_REF)
    refs = {str(span.attributes[key]) for _, span in run.walk() for key in keys if key in span.attributes}
    return sum((run.folder / "blobs" / ref).stat().st_size for ref in refs)


def index(count: int) -> dict[str, object]:
    """Make `count` small runs, most of them copies of others, index them, list and filter."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for number in range(count):
            folder = root / f"run-{number:06d}"
            if number < DISTINCT:
                _small_run(folder, number)
            else:
                shutil.copytree(root / f"run-{number % DISTINCT:06d}", folder)
        took = {}
        with RunIndex(root) as runs:
            took["build_s"] = _timed(runs.refresh)
            took["refresh_ms"] = 1e3 * _timed(runs.refresh)
            took["list_100_ms"] = 1e3 * _timed(lambda: runs.find(limit=100))
            took["list_all_ms"] = 1e3 * _timed(runs.find)
            wanted = Filter(outcome="failed", skill="pick", code="POLICY_CRASH", planner="embedded")
            took["filter_ms"] = 1e3 * _timed(lambda: runs.find(wanted, 100))
            found = len(runs.find(wanted))
        return {"runs": count, "filtered": found, **{key: round(value, 1) for key, value in took.items()}}


def _small_run(folder: Path, number: int) -> None:
    """One in four runs of each outcome; a skill of one in four has failed."""
    outcomes = ("succeeded", "failed", "needs_help", "stopped")
    about = {names.COMMAND_TEXT: f"clear table {number}", names.PLANNER_ID: "embedded-1", names.SEED: number}
    skill = names.SKILL.format(skill="pick")
    with Recorder.open(folder, about) as recorder, recorder.span(skill, {names.TOOL_NAME: "pick"}) as span:
        if number % 4 == 1:
            span.fail("POLICY_CRASH", "it crashed")
    told = {"outcome": outcomes[number % 4], "code": "", "wall_s": 1.0}
    (folder / RESULT_FILE).write_text(json.dumps(told))


def _timed(work: Callable[[], object]) -> float:
    """Median of five, s."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
        if took[0] > 1.0:
            break
    return float(np.median(took))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, help="a folder of recorded runs to measure")
    parser.add_argument("--index", type=int, metavar="N", help="index so many runs")
    args = parser.parse_args()
    if args.runs:
        sys.stdout.write(json.dumps(recorded_runs(args.runs), indent=1) + "\n")
    if args.index:
        sys.stdout.write(json.dumps(index(args.index), indent=1) + "\n")
    if not args.runs and not args.index:
        hot_path()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
