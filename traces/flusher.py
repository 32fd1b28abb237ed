"""Forces files to the disk itself without making whoever wrote them wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from traces.errors import TandemError
from traces.storage import storage_error, sync_folder


class Flusher:
    """Flushes the files of one folder from a thread of its own, in the order in which they were written.

    Reading, and a recording without files, start no thread.
    """

    def __init__(self, folder: Path, failed: Callable[[TandemError], None]) -> None:
        """`failed` is told, in the thread, of the first file that the disk would not take."""
        self._folder = folder
        self._failed = failed
        self._todo: SimpleQueue[Path | threading.Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._begun = threading.Lock()
        self._unnamed = False

    def add(self, path: Path) -> None:
        """Flush this file soon."""
        if self._thread is None:
            with self._begun:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="tandem-flush", daemon=True)
                    self._thread.start()
        self._todo.put(path)

    def wait(self) -> None:
        """Until all that was added is on the disk itself, names included, or `failed` has been told."""
        if self._thread is not None:
            done = threading.Event()
            self._todo.put(done)
            done.wait()

    def close(self) -> None:
        """Flush what is left and end the thread. Idempotent."""
        if self._thread is not None:
            self._todo.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (item := self._todo.get()) is not None:
            try:
                self._flush(item if isinstance(item, Path) else None)
            except OSError as cause:
                self._failed(storage_error(cause, self._folder))
            if isinstance(item, threading.Event):
                item.set()

    def _flush(self, path: Path | None) -> None:
        """One file; or, for None, the names of all. Raises OSError."""
        if path is not None:
            self._unnamed = True
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        elif self._unnamed:
            self._unnamed = False
            sync_folder(self._folder)
