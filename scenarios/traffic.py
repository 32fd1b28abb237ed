"""Readers beside whom something else is measured, and what a process has used."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_READER = """
import http.client, sys, time
host, port, token, rate = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
line, due, n = http.client.HTTPConnection(host, port), time.monotonic(), 0
while True:
    try:
        line.request("GET", "/v1/robot", headers={"Authorization": "Bearer " + token})
        line.getresponse().read()
        n += 1
        if n % 100 == 0:
            print(n, flush=True)
    except OSError:
        line.close()
        time.sleep(0.1)
    due = max(due + 1.0 / rate, time.monotonic() - 0.1)
    time.sleep(max(0.0, due - time.monotonic()))
"""
READERS = 4


class Traffic:
    """Processes that read the robot's state so often; a context manager."""

    def __init__(self, url: str, token: str, rate: int) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._words = [sys.executable, "-c", _READER, host, port, token, str(rate / READERS)]
        self._readers: list[subprocess.Popen[str]] = []
        self._began_s = 0.0

    def rate(self) -> int:
        """Requests a second that were answered so far."""
        took_s = time.monotonic() - self._began_s
        for reader in self._readers:
            reader.kill()
        lines = [reader.communicate()[0].split() for reader in self._readers]
        return round(sum(int(each[-1]) for each in lines if each) / took_s)

    def __enter__(self) -> Self:
        self._began_s = time.monotonic()
        self._readers = [
            subprocess.Popen(self._words, stdout=subprocess.PIPE, text=True) for _ in range(READERS)
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self._readers:
            reader.kill()
            reader.wait()


def rss_mb(process: int) -> float:
    """Memory of a process, MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_s(process: int) -> float:
    """Processor time of a process so far, s."""
    parts = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
