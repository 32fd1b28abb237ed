"""What a person watches: the run's video, and one picture that tells it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from traces.errors import TandemError
from traces.storage import storage_error

Frame = NDArray[np.uint8]

_CAPTION_PX = 15
_GAP_PX = 10
_CAPTION_SPACE_PX = 30
_PAPER = (250, 250, 247)
_INK = (38, 42, 48)
_EDGE = (205, 207, 203)


class VideoWriter:
    """H.264 in MP4, frame by frame.

    The file appears under its name when it is closed and playable; use as a context manager, so that it
    is on Ctrl-C too. Without a frame there is no file.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.part")
        self._rate_hz = rate_hz
        self._container: Any = None
        self._stream: Any = None
        self._failure: TandemError | None = None

    def write(self, rgb: Frame) -> None:
        """Append a uint8 [H, W, 3] frame; H and W are even, and those of the first frame.

        Raises:
            ValueError: The frame has another shape or type.
            TandemError: `STORE_FULL`, `STORE_READ_ONLY` or `STORE_IO`.
        """
        if (
            rgb.ndim != 3
            or rgb.shape[2] != 3
            or rgb.dtype != np.uint8
            or rgb.shape[0] % 2
            or rgb.shape[1] % 2
        ):
            raise ValueError(f"a frame is uint8 [even, even, 3], not {rgb.dtype} {list(rgb.shape)}")
        if self._failure is not None:
            raise self._failure
        with self._disk():
            if self._container is None:
                self._open(rgb.shape[1], rgb.shape[0])
            if (self._stream.height, self._stream.width) != rgb.shape[:2]:
                raise ValueError(f"frames are {self._stream.height} x {self._stream.width} here")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file. Idempotent. Raises as `write`."""
        if self._container is None:
            return
        container, self._container = self._container, None
        with self._disk():
            try:
                container.mux(self._stream.encode(None))
            finally:
                container.close()
            self._partial.replace(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, width: int, height: int) -> None:
        self._container = av.open(str(self._partial), "w", format="mp4", options={"movflags": "faststart"})
        self._stream = self._container.add_stream("libx264", rate=Fraction(self._rate_hz))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.options = {"preset": "veryfast", "crf": "23", "threads": "1"}
        self._container.start_encoding()

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """A failed write ends the video: what cannot be played is taken away."""
        try:
            yield
        except OSError as cause:
            self._container = None
            with suppress(OSError):
                self._partial.unlink(missing_ok=True)
            self._failure = storage_error(cause, self._path)
            raise self._failure from cause


def contact_sheet(frames: Sequence[tuple[Frame, str]], path: Path) -> None:
    """Draw captioned frames as a grid, row by row, into a PNG.

    Args:
        frames: uint8 [H, W, 3] images of one size with their captions; at least one.
        path: The PNG to write.

    Raises:
        ValueError: There is no frame, or they differ in size.
        TandemError: `STORE_FULL`, `STORE_READ_ONLY` or `STORE_IO`.
    """
    if not frames or len({rgb.shape for rgb, _ in frames}) != 1:
        raise ValueError("a contact sheet takes one or more frames of one size")
    height, width, _ = frames[0][0].shape
    columns = min(len(frames), max(1, round(math.sqrt(len(frames) * 1.4 * height / width))))
    rows = math.ceil(len(frames) / columns)
    cell_width, cell_height = width + _GAP_PX, height + _CAPTION_SPACE_PX + _GAP_PX
    sheet = Image.new("RGB", (columns * cell_width + _GAP_PX, rows * cell_height + _GAP_PX), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_CAPTION_PX)
    for number, (rgb, caption) in enumerate(frames):
        left = _GAP_PX + (number % columns) * cell_width
        top = _GAP_PX + (number // columns) * cell_height
        sheet.paste(Image.fromarray(rgb), (left, top))
        draw.rectangle((left - 1, top - 1, left + width, top + height), outline=_EDGE)
        text = _fit(f"{number + 1}  {caption}", width, font)
        draw.text((left + 2, top + height + 6), text, fill=_INK, font=font)
    try:
        sheet.save(path, format="PNG")
    except OSError as cause:
        raise storage_error(cause, path) from cause


def _fit(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Shorten a caption to what fits under its picture."""
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
