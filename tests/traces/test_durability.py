"""Killed processes, torn tails, flipped bits, full disks: nothing is lost in silence."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from traces import names
from traces.errors import TandemError
from traces.reader import read_run, salvage_run
from traces.recorder import Recorder
from traces.run import SpanStatus
from traces.verify import verify
from traces.wal import WalWriter, read_wal

CHILD = """
import sys
import threading
from pathlib import Path
import numpy as np
from traces import names
from traces.recorder import Recorder
recorder = Recorder.open(Path(sys.argv[1]), {names.COMMAND_TEXT: "clear the table"})
skill = recorder.span(names.SKILL.format(skill="pick"))
with recorder.span(names.COMMAND), recorder.span(names.AGENT), skill:
    for k in range(10_000):
        with recorder.span(names.CHUNK.format(k=k)) as span:
            span.set(names.CHUNK_REF, recorder.arrays(actions=np.full((4, 7), k, np.float32)))
            sys.stdout.write(f"{k}\\n")
            sys.stdout.flush()
"""


@pytest.mark.parametrize("chunks", [1, 4, 17])
def test_kill_9_loses_nothing_that_was_said_to_be_recorded(tmp_path: Path, chunks: int) -> None:
    folder = tmp_path / "run"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(chunks):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.stdout.close()
    child.wait()
    report = verify(folder)
    assert report.ok, report.findings
    assert report.lost[:3] == ("invoke_workflow command", "invoke_agent planner", "execute_tool pick")
    run = read_run(folder)
    assert not run.closed
    recorded = run.named(names.CHUNK)
    assert len(recorded) >= chunks
    for k, span in enumerate(recorded[:chunks]):
        assert np.all(run.blobs.get_arrays(span.attributes[names.CHUNK_REF])["actions"] == k)
    assert {finding.code for finding in report.findings} >= {"NOT_CLOSED", "SPAN_LOST", "RESULT_MISSING"}


def _cut(folder: Path, data: bytes) -> None:
    (folder / "trace.wal").write_bytes(data)


def test_torn_at_every_byte_of_the_last_records(small_run: Path) -> None:
    whole = (small_run / "trace.wal").read_bytes()
    lines = whole.splitlines(keepends=True)
    start = len(whole) - sum(len(line) for line in lines[-3:])
    for size in range(start, len(whole)):
        _cut(small_run, whole[:size])
        good = whole[:size].count(b"\n")
        run = read_run(small_run)
        assert run.records == good
        assert run.torn_bytes == size - len(b"".join(lines[:good]))
        assert not run.closed
        assert verify(small_run).ok


def test_no_flipped_bit_is_accepted(small_run: Path) -> None:
    whole = (small_run / "trace.wal").read_bytes()
    for position in range(len(whole)):
        for bit in {position % 8, 0 if whole[position] == ord("\n") else 3}:
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            _cut(small_run, bytes(damaged))
            with pytest.raises(TandemError, match="TRACE_CORRUPT"):
                read_run(small_run)
            if position % 32 == 0:
                assert not verify(small_run).ok, (position, bit)


def test_lost_repeated_and_swapped_records_are_noticed(small_run: Path) -> None:
    lines = (small_run / "trace.wal").read_bytes().splitlines(keepends=True)
    for broken in (
        lines[:4] + lines[5:],
        [*lines[:4], lines[3], *lines[4:]],
        [*lines[:3], lines[4], lines[3], *lines[5:]],
        [*lines, lines[-1]],
        [*lines, b"torn"],
    ):
        _cut(small_run, b"".join(broken))
        assert not verify(small_run).ok


def test_what_lies_before_the_damage_can_be_shown(small_run: Path) -> None:
    whole = (small_run / "trace.wal").read_bytes()
    lines = whole.splitlines(keepends=True)
    _cut(small_run, b"".join(lines[:6]) + b"garbage\n" + b"".join(lines[6:]))
    salvage = salvage_run(small_run)
    assert salvage.run.records == 6
    assert "record 6" in salvage.faults[0]


@pytest.mark.parametrize("fate", ["flipped", "missing", "truncated", "swapped"])
def test_a_blob_that_is_not_what_was_stored_is_an_error(small_run: Path, fate: str) -> None:
    one, two = sorted((small_run / "blobs").iterdir())[:2]
    match fate:
        case "flipped":
            one.write_bytes(bytes([one.read_bytes()[0] ^ 1]) + one.read_bytes()[1:])
        case "missing":
            one.unlink()
        case "truncated":
            one.write_bytes(one.read_bytes()[:-1])
        case _:
            one.write_bytes(two.read_bytes())
    report = verify(small_run)
    assert not report.ok
    assert {f.code for f in report.findings} & {"BLOB_MISSING", "BLOB_CORRUPT"}


def test_a_sound_run_has_nothing_to_report(small_run: Path) -> None:
    report = verify(small_run)
    assert (report.ok, report.findings, report.lost, report.spans, report.blobs) == (True, (), (), 4, 3)


@pytest.mark.parametrize("data", [b"", b"\n", b"garbage", b"garbage\n" * 9, b"\0" * 4096, os.urandom(4096)])
def test_garbage_is_no_trace(tmp_path: Path, data: bytes) -> None:
    _cut(tmp_path, data)
    with pytest.raises(TandemError, match="TRACE_CORRUPT"):
        read_run(tmp_path)
    assert not verify(tmp_path).ok


def test_no_folder_no_run(tmp_path: Path) -> None:
    for act in (read_run, verify):
        with pytest.raises(TandemError, match="RUN_NOT_FOUND") as caught:
            act(tmp_path / "nowhere")
        assert caught.value.fix


def test_well_framed_nonsense_is_a_fault_and_not_a_crash(tmp_path: Path) -> None:
    stream = random.Random(7)
    kinds = ["run", "start", "set", "log", "end", "close", "new", None, 3, []]
    things = [None, 0, -1, 1 << 80, "x", [], [[]], {}, {"a": 1}, True, {"$float": "x"}]
    for number in range(150):
        wal = WalWriter(tmp_path / f"{number}")
        header = {"t": "run", "trace": "0" * 32, "ns": 1, "a": {names.SCHEMA: 1}}
        wal.append(header)
        for _ in range(6):
            fields = stream.sample(["id", "parent", "ns", "a", "links", "name", "status", "code"], 6)
            wal.append({"t": stream.choice(kinds), **{field: stream.choice(things) for field in fields}})
        wal.close()
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        (tmp_path / f"{number}").rename(folder / "trace.wal")
        assert salvage_run(folder).faults
        assert not verify(folder).ok


def test_a_newer_schema_is_refused_by_name(tmp_path: Path) -> None:
    wal = WalWriter(tmp_path / "trace.wal")
    wal.append({"t": "run", "trace": "0" * 32, "ns": 1, "a": {names.SCHEMA: names.SCHEMA_VERSION + 1}})
    with pytest.raises(TandemError, match="TRACE_SCHEMA"):
        read_run(tmp_path)
    assert not verify(tmp_path).ok


FULL = """
import resource, signal, sys
from pathlib import Path
from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
recorder = Recorder.open(Path(sys.argv[1]), {})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
moved, codes = 0, []
for attempt in range(2):
    try:
        with recorder.span(names.COMMAND):
            for k in range(1000):
                with recorder.span(names.CHUNK.format(k=k)):
                    moved += 1
    except TandemError as error:
        codes.append(error.code)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
recorder.close()
print(moved, *codes)
"""


def test_a_full_disk_ends_the_recording_for_good(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True, check=True
    )
    moved, *codes = done.stdout.split()
    assert codes == ["STORE_FULL", "STORE_FULL"]
    run = read_run(folder)
    assert len(run.named(names.CHUNK)) == int(moved)
    assert verify(folder).ok
    assert any(span.status is SpanStatus.LOST for _, span in run.walk())


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "STORE_FULL"),
        (errno.EDQUOT, "STORE_FULL"),
        (errno.EIO, "STORE_IO"),
        (errno.EROFS, "STORE_READ_ONLY"),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_failed_write_is_final(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, code: str
) -> None:
    wal = WalWriter(tmp_path / "log")
    wal.append({"a": 1})

    def fail(*_args: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(TandemError, match=code):
            wal.append({"a": 2}) if call == "write" else wal.sync()
    # The disk is well again; the log is not: something is missing from it.
    with pytest.raises(TandemError, match=code) as caught:
        wal.append({"a": 3})
    assert caught.value.fix
    assert len(read_wal(tmp_path / "log").records) == 1


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:5]))
    wal = WalWriter(tmp_path / "log")
    wal.append({"a": "x" * 100})
    monkeypatch.undo()
    assert read_wal(tmp_path / "log").records == ({"a": "x" * 100},)


def test_a_blob_that_cannot_be_stored_ends_the_recording(tmp_path: Path) -> None:
    recorder = Recorder.open(tmp_path, {})
    (tmp_path / "blobs").write_text("in the way")
    with pytest.raises(TandemError, match="STORE_IO"), recorder.span("s") as span:
        span.set(names.CHUNK_REF, recorder.text("x"))
    with pytest.raises(TandemError, match="STORE_IO"), recorder.span("t"):
        pytest.fail("work began unrecorded")


def test_at_an_edge_blobs_their_names_and_then_the_log_are_on_the_disk_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    real = os.fsync

    def watched(fd: int) -> None:
        real(fd)
        flushed.append(Path(f"/proc/self/fd/{fd}").readlink().name)

    monkeypatch.setattr(os, "fsync", watched)
    with Recorder.open(tmp_path / "run", {}) as recorder, recorder.span("s") as span:
        blobs = [recorder.text("one"), recorder.text("two"), recorder.text("one")]
        span.log(names.ALARM, {names.MONITOR_NAME: "time_s"})
        assert flushed == [*blobs[:2], "blobs", "trace.wal", "run"]
        recorder.sync()
        assert flushed[5:] == ["trace.wal"]


def test_a_blob_that_the_disk_does_not_take_ends_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise OSError(errno.EIO, "bad")

    recorder = Recorder.open(tmp_path, {})
    monkeypatch.setattr(os, "fsync", fail)
    recorder.text("x")
    with pytest.raises(TandemError, match="STORE_IO"):
        recorder.sync()
    monkeypatch.undo()
    with pytest.raises(TandemError, match="STORE_IO"), recorder.span("t"):
        pytest.fail("work began unrecorded")
    recorder.close()


@pytest.mark.parametrize("written", [0, 1, 20, 1000])
def test_ctrl_c_in_the_middle_of_a_record_leaves_the_log_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    real = os.write

    def interrupted(fd: int, data: bytes) -> int:
        if written:
            real(fd, data[:written])
        raise KeyboardInterrupt

    wal = WalWriter(tmp_path / "log")
    wal.append({"a": 1})
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            wal.append({"a": 2})
    wal.append({"a": 3})
    contents = read_wal(tmp_path / "log")
    assert (contents.damage, contents.torn_bytes) == ("", 0)
    whole = [{"a": 2}] if written == 1000 else []
    assert list(contents.records) == [{"a": 1}, *whole, {"a": 3}]


def test_a_signal_handler_cannot_break_into_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    wal = WalWriter(tmp_path / "log")
    codes = []

    def signalled(fd: int, data: bytes) -> int:
        with pytest.raises(TandemError) as caught:
            wal.append({"from": "handler"})
        codes.append(caught.value.code)
        return real(fd, data)

    monkeypatch.setattr(os, "write", signalled)
    wal.append({"a": 1})
    monkeypatch.undo()
    wal.append({"a": 2})
    assert codes == ["TRACE_BUSY"]
    assert read_wal(tmp_path / "log").records == ({"a": 1}, {"a": 2})


def test_threads_do_not_mix_their_records(tmp_path: Path) -> None:
    wal = WalWriter(tmp_path / "log")
    threads = [
        threading.Thread(target=lambda k=k: [wal.append({"k": k, "i": i}) for i in range(200)])
        for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = read_wal(tmp_path / "log")
    assert not contents.damage
    for k in range(4):
        assert [record["i"] for record in contents.records if record["k"] == k] == list(range(200))
