"""What a recording survives: `python -m traces.crash kill|tear|flip|fail --count 500`.

kill: `kill -9` at random moments; nothing acknowledged may be missing, every open span must show as lost.
tear: the log cut at every byte of its last three records; everything before must open.
flip: single flipped bits; none may pass for sound, and what lies before must open.
fail: each write and each fsync in turn fails (no space, I/O error); from then on nothing may be begun.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from traces import names
from traces.errors import TandemError
from traces.reader import read_run, salvage_run
from traces.recorder import Recorder
from traces.storage import TRACE_FILE
from traces.verify import verify

Figures = dict[str, Any]
OPEN = ("invoke_workflow command", "invoke_agent planner", "execute_tool pick")
_CHUNKS = 40
NOTICED_S = 0.02


def work(folder: Path, told: Callable[[int], None] = lambda _k: None, chunks: int = 10**6) -> None:
    """A small command: chunks with blobs, logs and syncs; `told` hears of each that is on record."""
    with Recorder.open(folder, {names.COMMAND_TEXT: "clear the table"}) as recorder:
        skill = recorder.span(names.SKILL.format(skill="pick"))
        with recorder.span(names.COMMAND), recorder.span(names.AGENT), skill:
            for k in range(chunks):
                rows = np.full((4, 7), k, np.float32)
                facts = {names.CHUNK_ID: k, names.CHUNK_REF: recorder.arrays(actions=rows)}
                with recorder.span(names.CHUNK.format(k=k), facts) as span:
                    told(k)
                    span.set(names.STATE_HASH, f"{k:064x}")
                if k % 8 == 7:
                    recorder.log(names.ALARM, {names.MONITOR_NAME: "time_s"})
        recorder.result({"outcome": "succeeded"})


def kill(count: int, seed: int) -> Figures:
    """Kill a recording process at random moments."""
    lost, unsound, not_shown, acknowledged = 0, 0, 0, 0
    for number in _told(range(count), "killing"):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "run"
            last = _kill_once(folder, float(np.random.default_rng([seed, number]).uniform(0.0, 0.25)))
            run = read_run(folder)
            found = {span.attributes[names.CHUNK_ID] for span in run.named(names.CHUNK)}
            acknowledged += last + 1
            lost += len(set(range(last + 1)) - found)
            report = verify(folder)
            unsound += not report.ok
            not_shown += report.lost[:3] != OPEN
    return {
        "kills": count,
        "acknowledged_records": acknowledged,
        "lost": lost,
        "not_accepted_by_verify": unsound,
        "open_spans_not_shown_as_lost": not_shown,
    }


def _kill_once(folder: Path, after_s: float) -> int:
    """Let a process of its own work, kill it, and return the last chunk that it said was on record."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        work(folder, lambda k: _acknowledge(writer, k))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        first = said.readline()
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        lines = [first, *said.read().splitlines(keepends=True)]
    os.waitpid(child, 0)
    return int([line for line in lines if line.endswith(b"\n")][-1])


def _acknowledge(writer: int, k: int) -> None:
    os.write(writer, b"%d\n" % k)


def tear(count: int, seed: int) -> Figures:  # noqa: ARG001
    """Cut the log at every byte of its last three records."""
    accepted, unopened, tried = 0, 0, 0
    with _recorded() as (folder, whole):
        lines = whole.splitlines(keepends=True)
        for size in _told(range(len(whole) - sum(map(len, lines[-3:])), len(whole)), "tearing"):
            (folder / TRACE_FILE).write_bytes(whole[:size])
            tried += 1
            run = read_run(folder)
            unopened += run.records != whole[:size].count(b"\n")
            accepted += run.closed
    return {"cuts": tried, "silently_accepted": accepted, "rest_not_opened": unopened}


def flip(count: int, seed: int) -> Figures:
    """Flip single bits."""
    accepted, unopened = 0, 0
    rng = np.random.default_rng([seed, 0xF11B])
    with _recorded() as (folder, whole):
        for place in _told(rng.integers(len(whole) * 8, size=count).tolist(), "flipping"):
            damaged = bytearray(whole)
            damaged[place // 8] ^= 1 << place % 8
            (folder / TRACE_FILE).write_bytes(damaged)
            before = whole[: place // 8].count(b"\n")
            try:
                salvage = salvage_run(folder)
            except TandemError:
                unopened += before > 0
                continue
            accepted += not salvage.faults
            unopened += salvage.run.records < before
    return {"flips": count, "silently_accepted": accepted, "rest_not_opened": unopened}


def fail(count: int, seed: int) -> Figures:  # noqa: ARG001
    """Let each write and fsync in turn fail, until the work gets through without."""
    tried, unsafe, unreadable = 0, 0, 0
    for call in ("write", "fsync"):
        for number in (errno.ENOSPC, errno.EIO):
            for nth in range(100_000):
                with tempfile.TemporaryDirectory() as temporary:
                    folder = Path(temporary) / "run"
                    begun, failed = _fail_once(folder, call, number, nth)
                    if not failed:
                        break
                    tried += 1
                    unsafe += begun
                    unreadable += (folder / TRACE_FILE).exists() and not _opens(folder)
    return {"faults": tried, "work_begun_after": unsafe, "not_readable_after": unreadable}


def _fail_once(folder: Path, call: str, number: int, nth: int) -> tuple[int, bool]:
    """One run of the work with one fault: chunks begun after it, and whether it struck at all."""
    real = getattr(os, call)
    count, struck, aside, begun = 0, False, False, 0

    def faulty(*arguments: Any) -> Any:
        nonlocal count, struck, aside
        count += 1
        if count == nth + 1:
            struck, aside = True, threading.current_thread() is not threading.main_thread()
            raise OSError(number, os.strerror(number))
        return real(*arguments)

    def told(_k: int) -> None:
        nonlocal begun, aside
        if aside:
            # A blob failed in the thread that flushes them, while this chunk began: now it will be said.
            time.sleep(NOTICED_S)
            aside = False
        else:
            begun += struck

    setattr(os, call, faulty)
    try:
        work(folder, told, _CHUNKS)
    except TandemError:
        pass
    finally:
        setattr(os, call, real)
    return begun, struck


def _opens(folder: Path) -> bool:
    """Whether what was recorded can be read, or there is nothing but a log without a first record."""
    try:
        salvage = salvage_run(folder)
    except TandemError:
        return (folder / TRACE_FILE).stat().st_size == 0
    return not salvage.faults


@contextmanager
def _recorded() -> Iterator[tuple[Path, bytes]]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        work(folder, chunks=_CHUNKS)
        yield folder, (folder / TRACE_FILE).read_bytes()


def _told(things: Iterable[Any], words: str) -> Iterator[Any]:
    yield from track(list(things), words, console=Console(stderr=True))


_PARTS: dict[str, Callable[[int, int], Figures]] = {"kill": kill, "tear": tear, "flip": flip, "fail": fail}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=_PARTS)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sys.stdout.write(json.dumps(_PARTS[args.part](args.count, args.seed), indent=1) + "\n")


if __name__ == "__main__":
    main()
