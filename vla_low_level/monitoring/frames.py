"""Is a picture one of the present, from where the camera is thought to be? Cheap checks on grey images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

EVERY = 2
# Shifts further than this share of the picture cannot be told from other changes.
MOST_SHIFT = 0.25


def reduced(rgb: NDArray[np.uint8]) -> Grey:
    """Every second pixel of the green channel: uint8 [H / 2, W / 2] from [H, W, 3]."""
    return np.ascontiguousarray(rgb[::EVERY, ::EVERY, 1])


def contrast(grey: Grey) -> float:
    """Standard deviation of grey levels, 0..127; near 0 for black, white and covered cameras."""
    return float(grey.astype(np.float32).std())


def sharpness(grey: Grey) -> float:
    """Logarithm of the mean absolute Laplacian: blur lowers it, noise and patches raise it."""
    x = grey.astype(np.int16)
    laplacian = 4 * x[1:-1, 1:-1] - x[:-2, 1:-1] - x[2:, 1:-1] - x[1:-1, :-2] - x[1:-1, 2:]
    return float(np.log(np.abs(laplacian).mean() + 0.1))


def changed(first: Grey, now: Grey) -> float:
    """Share of pixels that differ by more than an eighth of the range from what stood there before."""
    return float((np.abs(now.astype(np.int16) - first) > 32).mean())


class ShiftFrom:
    """How far a picture has moved against a first one, by phase correlation (Kuglin & Hines 1975)."""

    def __init__(self, first: Grey) -> None:
        self._spectrum = np.conj(np.fft.rfft2(_edges(first)))
        self._shape = first.shape

    def px(self, now: Grey) -> float:
        """Length of the shift, px of the grey image; 0 when it is too large to be believed."""
        cross = np.fft.rfft2(_edges(now)) * self._spectrum
        surface = np.fft.irfft2(cross / (np.abs(cross) + 1e-6), s=self._shape)
        peak = np.unravel_index(int(surface.argmax()), self._shape)
        off = [_wrapped(int(k), n) for k, n in zip(peak, self._shape, strict=True)]
        if any(abs(k) > MOST_SHIFT * n for k, n in zip(off, self._shape, strict=True)):
            return 0.0
        return math.hypot(*off)


def _wrapped(k: int, n: int) -> int:
    return k - n if k > n // 2 else k


def _edges(grey: Grey) -> NDArray[np.float32]:
    """Faded out at the border, so that the picture's own frame is not what matches."""
    x = grey.astype(np.float32) - grey.mean()
    fade = np.outer(np.hanning(x.shape[0]), np.hanning(x.shape[1])).astype(np.float32)
    faded: NDArray[np.float32] = x * fade
    return faded
