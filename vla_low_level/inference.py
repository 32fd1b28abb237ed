"""A policy on a thread of its own: ask, look whether it has answered, go on meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Protocol

from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, Policy, PolicyOutput


class Inference(Protocol):
    """One question at a time to a policy."""

    @property
    def busy(self) -> bool:
        """A question has not been answered, or the answer not been taken."""
        ...

    def ask(self, observation: Observation, instruction: Instruction) -> None:
        """Begin to work on the next chunk. Only when not busy."""
        ...

    def poll(self, timeout_s: float) -> PolicyOutput | None:
        """The answer once it is there; None when the time passes first. Raises what the policy raises."""
        ...

    def close(self) -> None:
        """End, after the question that is being worked on. Idempotent."""
        ...


class ThreadInference:
    """Implements `Inference` with one thread."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="policy")
        self._answer: Future[PolicyOutput] | None = None
        self._closed = threading.Event()

    @property
    def busy(self) -> bool:
        """A question has not been answered, or the answer not been taken."""
        return self._answer is not None

    def ask(self, observation: Observation, instruction: Instruction) -> None:
        """Begin to work on the next chunk."""
        self._answer = self._pool.submit(self._policy.act, observation, instruction)

    def poll(self, timeout_s: float) -> PolicyOutput | None:
        """The answer once it is there. Without a question, just let the time pass."""
        if self._answer is None:
            self._closed.wait(timeout_s)
            return None
        wait([self._answer], timeout_s)
        if not self._answer.done():
            return None
        answer, self._answer = self._answer, None
        return answer.result()

    def close(self) -> None:
        """End the thread; waits for the policy to return."""
        self._closed.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
