"""The run's video, and the contact sheet that tells it in one picture."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from traces.media import VideoWriter, contact_sheet
from traces.storage import SHEET_FILE, VIDEO_FILE

VIDEO_HZ = 10
MAX_STILLS = 20


class Film:
    """Takes frames with captions; the last frame of each caption becomes a still of the sheet.

    The sheet begins with the very first frame and ends with the very last one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._video = VideoWriter(folder / VIDEO_FILE, VIDEO_HZ)
        self._stills: list[tuple[NDArray[np.uint8], str]] = []

    def take(self, rgb: NDArray[np.uint8], caption: str) -> None:
        """One frame, uint8 [H, W, 3]."""
        self._video.write(rgb)
        if not self._stills:
            self._stills.append((rgb, "before"))
        if self._stills and self._stills[-1][1] == caption:
            self._stills[-1] = (rgb, caption)
        else:
            self._stills.append((rgb, caption))

    def __enter__(self) -> Self:
        self._video.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._video.__exit__(kind, error, trace)
        told = [still for still in self._stills[:-1] if "view" not in still[1]]
        if self._stills:
            last, caption = self._stills[-1]
            told.append((last, "after" if "view" in caption else caption))
            # Evenly thinned, first and last kept.
            keep = np.linspace(0, len(told) - 1, min(MAX_STILLS, len(told))).round().astype(int)
            contact_sheet([told[k] for k in keep], self._folder / SHEET_FILE)
