"""A circuit breaker: after so many failures in a row an endpoint is left alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from traces.errors import TandemError

FAILURES = 5
REST_S = 30.0


@dataclass
class Breaker:
    """Counts failures in a row; open, it lets one call through every `REST_S`. Thread-safe.

    Attributes:
        clock: Monotonic time, s.
    """

    clock: Callable[[], float] = time.monotonic
    _failures: int = 0
    _next_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self) -> None:
        """Raise `TandemError` (`LLM_UNAVAILABLE`) at once while the endpoint is being left alone."""
        with self._lock:
            if self._failures < FAILURES:
                return
            wait_s = self._next_s - self.clock()
            if wait_s > 0.0:
                raise TandemError(
                    "LLM_UNAVAILABLE",
                    f"the planner's endpoint failed {self._failures} times in a row",
                    fix=f"check the server; the next try is in {wait_s:.0f} s",
                )
            self._next_s = self.clock() + REST_S

    def succeeded(self) -> None:
        """The endpoint answered."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """It did not."""
        with self._lock:
            self._failures += 1
            self._next_s = self.clock() + REST_S
