"""Carries out commands, one at a time, in a thread of the mind's process."""

from __future__ import annotations

import io
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agent.course import Course
from agent.events import Event
from agent.executive import Company, Executive
from agent.outcome import CommandResult
from agent.sight import CAMERA
from api.assemble import never_begun
from api.server.told import told
from api.standing import Standing, open_command
from traces.errors import TandemError
from vla_low_level.wire import Message

Send = Callable[[Message], None]

ANSWER_S = 300.0
POLL_S = 0.05
JPEG_QUALITY = 80
KEPT = 64


@dataclass(frozen=True, slots=True)
class Order:
    """A command on its way to the executive; `resumes` is the id of the one that it goes on with."""

    command: str
    instruction: str
    folder: Path
    resumes: str | None = None


class Worker:
    """Runs one order after the other; everything else is called from other threads.

    Attributes:
        busy: Id of the command at work, or None.
    """

    def __init__(self, standing: Standing, send: Send) -> None:
        self._standing = standing
        self._send = send
        self._orders: queue.Queue[Order | None] = queue.Queue()
        self._lock = threading.Lock()
        self._executive: Executive | None = None
        self._cancelled = threading.Event()
        self._question = 0
        self._answer: tuple[int, str] | None = None
        self._amendments: list[str] = []
        self._left: dict[str, Course] = {}
        self.busy: str | None = None

    def order(self, order: Order) -> None:
        """Begin with it as soon as the one before has ended."""
        with self._lock:
            self.busy = order.command
            self._cancelled.clear()
            self._amendments.clear()
            self._question, self._answer = 0, None
        self._orders.put(order)

    def cancel(self, command: str) -> None:
        """End this command after the chunk that runs."""
        with self._lock:
            if command == self.busy:
                self._cancelled.set()
                if self._executive is not None:
                    self._executive.cancel()

    def interrupt(self) -> None:
        """End whatever runs: nobody is left who wants it."""
        with self._lock:
            self._cancelled.set()
            if self._executive is not None:
                self._executive.interrupt()

    def amend(self, command: str, text: str) -> None:
        """Tell the executive what a person says while it works."""
        with self._lock:
            if command == self.busy:
                if self._executive is None:
                    self._amendments.append(text)
                else:
                    self._executive.correct(text)

    def answer(self, command: str, question: int, text: str) -> None:
        """Give the answer to a question that is open."""
        with self._lock:
            if command == self.busy and question == self._question:
                self._answer = (question, text)

    def finish(self) -> None:
        """Let `run` return once what runs has ended."""
        self._orders.put(None)

    def run(self) -> None:
        """Work until `finish`."""
        while (order := self._orders.get()) is not None:
            result = self._carry_out(order)
            with self._lock:
                self._executive, self.busy = None, None
            self._tell("finished", order.command, {"result": result.model_dump(mode="json")})

    def _carry_out(self, order: Order) -> CommandResult:
        options = replace(self._standing.options, instruction=order.instruction, record=order.folder)
        company = Company(
            ask=lambda text, choices: self._ask(order.command, text, choices),
            listener=lambda event: self._heard(order.command, event),
        )
        try:
            with open_command(self._standing, options, company) as session:
                with self._lock:
                    self._executive = session.executive
                    if self._cancelled.is_set():
                        session.executive.cancel()
                    for text in self._amendments:
                        session.executive.correct(text)
                result = session.executive.run(order.instruction, self._left.get(order.resumes or ""))
                self._keep(order.command, session.executive.course)
                return result
        except TandemError as error:
            return never_begun(options, error)
        except Exception as error:  # noqa: BLE001 (a bug must not take the robot's service down)
            return never_begun(options, TandemError("INTERNAL", f"{type(error).__name__}: {error}"))

    def _keep(self, command: str, course: Course | None) -> None:
        """Remember how far a command has come, in case somebody wants the rest."""
        if course is not None:
            self._left[command] = course
        while len(self._left) > KEPT:
            del self._left[next(iter(self._left))]

    def _heard(self, command: str, event: Event) -> None:
        for kind, data in told(event):
            self._tell("told", command, {"type": kind.value, "data": data})

    def _ask(self, command: str, text: str, options: Sequence[str]) -> str | None:
        """Ask whoever commands; None when nobody answers in time or the command is cancelled."""
        picture = self._snapshot()
        with self._lock:
            self._question, self._answer = self._question + 1, None
            number = self._question
        asked = {"id": number, "text": text, "options": list(options), "seconds": ANSWER_S}
        arrays = {} if picture is None else {"jpeg": picture}
        self._send(Message("asked", {"command": command, **asked}, arrays))
        until_s = time.monotonic() + ANSWER_S
        while time.monotonic() < until_s and not self._cancelled.is_set():
            with self._lock:
                answer = self._answer
            if answer is not None:
                return answer[1]
            time.sleep(POLL_S)
        self._tell("unasked", command, {})
        return None

    def _snapshot(self) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
        try:
            rgb = self._standing.robot.observe((CAMERA,)).images[CAMERA].rgb
        except TandemError:
            return None
        return as_jpeg(rgb)

    def _tell(self, kind: str, command: str, fields: dict[str, Any]) -> None:
        self._send(Message(kind, {"command": command, **fields}))


def as_jpeg(rgb: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture uint8 [H, W, 3] as the bytes of a JPEG, uint8 [n]."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)
