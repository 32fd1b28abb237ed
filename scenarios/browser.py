"""The page, open in the system's Chromium."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator

import typer

NAMES = ("chromium", "chromium-browser", "google-chrome")
LOAD_S = 20.0
END_S = 10.0


@contextlib.contextmanager
def open_page(link: str) -> Iterator[None]:
    """Open it and give it time to load; as a person's tab, it reads the events and one camera."""
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        raise typer.BadParameter("no Chromium on this system: install your distribution's package `chromium`")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [chromium, "--headless=new", "--disable-gpu", f"--user-data-dir={profile}", "--no-first-run"]
        words += [] if os.geteuid() else ["--no-sandbox"]
        process = subprocess.Popen([*words, link], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(LOAD_S)
            yield
        finally:
            process.terminate()
            process.wait(END_S)
