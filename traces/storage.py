"""Where a run's parts lie in its folder, and what a failing disk is called."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

from traces.errors import TandemError

TRACE_FILE: Final = "trace.wal"
BLOB_FOLDER: Final = "blobs"
RESULT_FILE: Final = "result.json"
VIDEO_FILE: Final = "run.mp4"
SHEET_FILE: Final = "contact_sheet.png"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def storage_error(cause: OSError, path: Path) -> TandemError:
    """Name a failed write: `STORE_FULL`, `STORE_READ_ONLY` or `STORE_IO`."""
    why = cause.strerror or str(cause)
    if cause.errno in _FULL:
        return TandemError(
            "STORE_FULL",
            f"no space left to record at {path}: {why}",
            fix="free some space, or record elsewhere",
        )
    if cause.errno in _READ_ONLY:
        return TandemError(
            "STORE_READ_ONLY", f"cannot write to {path}: {why}", fix="choose a folder that you may write to"
        )
    return TandemError("STORE_IO", f"cannot record at {path}: {why}", fix="check the path and the disk")


def write_whole(target: Path, data: bytes) -> None:
    """Write a file so that it holds all of `data` or what it held before, also after a power cut.

    Raises:
        TandemError: As `storage_error` names it.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        write_file(partial, data, sync=True)
        partial.replace(target)
        sync_folder(target.parent)
    except OSError as cause:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise storage_error(cause, target) from cause


def sync_folder(folder: Path) -> None:
    """Force a folder's list of names to the disk itself. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_file(path: Path, data: bytes, *, sync: bool = False) -> None:
    """Write a file, and force it to the disk itself where `sync` is set. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)
