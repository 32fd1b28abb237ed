r"""The write-ahead log: an append-only file of checked lines, the one truth about a run.

One record per line, `<crc32 of the JSON, 8 hex digits> <its length in bytes> <JSON>\n`, written
unbuffered, so that it survives the death of this process. The JSON is ASCII without a newline, so an append
that was cut short has none either: a tail without a newline is *torn* and can be dropped; anything
else that does not check is *damage*.
"""

from __future__ import annotations

import contextlib
import json
import json.encoder
import os
import re
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traces.errors import TandemError
from traces.storage import storage_error, sync_folder
from traces.values import from_wire, to_wire

MAX_LOG_BYTES = 1 << 30
MAX_RECORD_BYTES = 1 << 20

_FRAME = re.compile(rb"([0-9a-f]{8}) ([1-9][0-9]{0,7}) ")


def _encoder() -> Callable[[Mapping[str, Any]], str]:
    """Compact ASCII JSON; ValueError for NaN and infinities.

    What `json.JSONEncoder.encode` makes anew for every call is made once where it can be: twice as fast.
    """
    slow = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return slow.encode
    text = json.encoder.encode_basestring_ascii
    encode = make(None, slow.default, text, None, ":", ",", False, False, False)  # noqa: FBT003
    return lambda record: "".join(encode(record, 0))


_encode = _encoder()


class WalWriter:
    """Appends records. One writer per file; safe to call from several threads.

    The first failed write is final: every later call raises the same error, so that nobody goes on
    working unrecorded because a retry happened to get through.
    """

    def __init__(self, path: Path) -> None:
        """Create the file.

        Raises:
            FileExistsError: There is a log already.
            TandemError: `STORE_FULL`, `STORE_READ_ONLY` or `STORE_IO`.
        """
        self._path = path
        self._lock = threading.RLock()
        self._busy = False
        # Bytes and records in the file, and its size once an append that may have been interrupted is whole.
        self._mark = (0, 0)
        self._unsure = 0
        self._failure: TandemError | None = None
        self._named = False
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except FileExistsError:
            raise
        except OSError as cause:
            raise storage_error(cause, path) from cause

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record; it is with the operating system when this returns.

        An exception from a signal handler (Ctrl-C) in the middle of it leaves the log sound.

        Raises:
            TandemError: `STORE_FULL`, `STORE_READ_ONLY`, `STORE_IO`, `TRACE_CLOSED` after `close`, or
                `TRACE_BUSY` from a signal handler that interrupts an append of the same thread.
        """
        fields = _fields(record)
        with self._lock:
            self.check()
            if self._busy:
                raise TandemError("TRACE_BUSY", "a signal handler cannot record in the middle of a record")
            self._busy = True
            try:
                self._append(fields)
            finally:
                self._busy = False

    def _append(self, fields: bytes) -> None:
        if self._unsure:
            self._recover()
        size, count = self._mark
        line = _frame(b'{"n":%d,%s' % (count, fields))
        self._unsure = size + len(line)
        self._write(line)
        self._mark = (self._unsure, count + 1)
        self._unsure = 0

    def _recover(self) -> None:
        """Find out how far an interrupted append got; take back what is not whole."""
        size, count = self._mark
        try:
            if os.fstat(self._fd).st_size == self._unsure:
                self._mark = (self._unsure, count + 1)
            else:
                os.ftruncate(self._fd, size)
        except OSError as cause:
            self._fail(cause)
        self._unsure = 0

    def sync(self) -> None:
        """Force everything to the disk itself, for the edges that must survive a power cut too."""
        with self._lock:
            self.check()
            try:
                os.fsync(self._fd)
                if not self._named:
                    # The file's name, too, has to be there after a power cut.
                    sync_folder(self._path.parent)
                    self._named = True
            except OSError as cause:
                self._fail(cause)

    def check(self) -> None:
        """Raise what the first failed write raised, if one has failed."""
        if self._failure is not None:
            raise TandemError(self._failure.code, self._failure.message, fix=self._failure.fix)
        if self._fd < 0:
            raise TandemError("TRACE_CLOSED", f"the trace at {self._path} is closed")

    def latch(self, failure: TandemError) -> None:
        """Let a failure elsewhere in the run's folder end this log too."""
        self._failure = self._failure or failure

    def finish(self, record: Mapping[str, Any]) -> None:
        """Append a last record if that is still possible, then release the file. Idempotent, never raises."""
        with contextlib.suppress(TandemError):
            self.append(record)
            self.sync()
        self.close()

    def close(self) -> None:
        """Release the file. Idempotent."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _write(self, line: bytes) -> None:
        try:
            done = os.write(self._fd, line)
            while done < len(line):
                done += os.write(self._fd, line[done:])
        except OSError as cause:
            self._fail(cause)

    def _fail(self, cause: OSError) -> None:
        self._failure = storage_error(cause, self._path)
        raise self._failure from cause


def _fields(record: Mapping[str, Any]) -> bytes:
    """A record as JSON without the brace that opens it: its number comes first."""
    try:
        told = _encode(record)
    except ValueError:
        told = _encode(to_wire(record))
    if len(told) > MAX_RECORD_BYTES:
        raise ValueError(f"a record of {len(told)} bytes; put large things into blobs")
    return told[1:].encode("ascii")


def _frame(payload: bytes) -> bytes:
    return b"%08x %d %s\n" % (zlib.crc32(payload), len(payload), payload)


@dataclass(frozen=True, slots=True)
class WalContents:
    """What a log holds, up to the first thing that does not check.

    Attributes:
        records: The good ones, in order.
        torn_bytes: Length of an interrupted last append, which was dropped; 0 for none.
        damage: Where and how the log is broken, beyond a torn tail; empty when it is not.
    """

    records: tuple[dict[str, Any], ...]
    torn_bytes: int
    damage: str


def read_wal(path: Path) -> WalContents:
    """Read every good record from the start of a log.

    Raises:
        TandemError: `RUN_NOT_FOUND` when there is no readable file, `TRACE_CORRUPT` when it is too large.
    """
    data = _load(path)
    records: list[dict[str, Any]] = []
    at = 0
    while at < len(data):
        newline = data.find(b"\n", at)
        if newline < 0:
            return _tail(records, data[at:], at)
        record, fault = parse_record(data[at:newline], len(records))
        if record is None:
            return WalContents(tuple(records), 0, f"record {len(records)} at byte {at}: {fault}")
        records.append(record)
        at = newline + 1
    return WalContents(tuple(records), 0, "")


def _load(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_LOG_BYTES:
            raise TandemError("TRACE_CORRUPT", f"{path} is {size} bytes long; no run writes that much")
        return path.read_bytes()
    except OSError as cause:
        raise TandemError(
            "RUN_NOT_FOUND",
            f"no trace at {path}: {cause.strerror}",
            fix="give the folder of a run; `tandem trace ls` lists them",
        ) from cause


def _tail(records: list[dict[str, Any]], rest: bytes, at: int) -> WalContents:
    """Tell an interrupted append (a strict prefix of a record) from a record that lost its newline."""
    frame = _FRAME.match(rest)
    complete = frame is not None and len(rest) > frame.end() + int(frame.group(2))
    if complete:
        return WalContents(tuple(records), 0, f"record {len(records)} at byte {at}: its end is overwritten")
    return WalContents(tuple(records), len(rest), "")


def parse_record(line: bytes, number: int) -> tuple[dict[str, Any] | None, str]:
    """Check one line (without its newline) that should be record `number`: the record, or what is wrong."""
    frame = _FRAME.match(line)
    if frame is None:
        return None, "not a record"
    payload = line[frame.end() :]
    if len(payload) != int(frame.group(2)):
        return None, "wrong length"
    if zlib.crc32(payload) != int(frame.group(1), 16):
        return None, "checksum mismatch"
    try:
        record = from_wire(json.loads(payload))
    except (ValueError, RecursionError):
        return None, "not JSON"
    if not isinstance(record, dict) or record.pop("n", None) != number:
        return None, "out of sequence"
    return record, ""
