"""The life cycle of commands as a pure state machine: no clock, no network, no robot.

Whoever holds a `Ledger` feeds it what people ask and what the mind reports, and carries out the effects that
come back. Stop goes before cancel, cancel before start, whatever arrives in one instant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.outcome import CommandResult, Outcome
from api.server.schema import TERMINAL, Command, Question, State
from traces.errors import TandemError

MAX_WAITING = 32
KEPT = 2_000
LONGEST_WAIT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Start:
    """Tell the mind to begin."""

    command: Command


@dataclass(frozen=True, slots=True)
class Cancel:
    """Tell the mind to end the command after the chunk that runs."""

    command: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell the mind what a person has answered."""

    command: str
    question: int
    text: str


@dataclass(frozen=True, slots=True)
class Amend:
    """Tell the mind what a person says while it works."""

    command: str
    text: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Tell everybody that a command is not what it was."""

    command: Command


Effect = Start | Cancel | Answer | Amend | Changed

_STATES = {
    Outcome.SUCCEEDED: State.SUCCEEDED,
    Outcome.REFUSED: State.REFUSED,
    Outcome.CANCELLED: State.CANCELLED,
    Outcome.INTERRUPTED: State.INTERRUPTED,
}
RESUMABLE = TERMINAL - {State.SUCCEEDED, State.REFUSED}


@dataclass
class Ledger:
    """Every command of one robot.

    Attributes:
        commands: By id, oldest first.
        running: Id of the one that the mind has, or None.
        waiting: Ids of those that it will have, next first.
        ready: The mind is there and can begin one.
        latched: Why nothing may move; empty when it may.
    """

    commands: dict[str, Command] = field(default_factory=dict)
    running: str | None = None
    waiting: deque[str] = field(default_factory=deque)
    ready: bool = False
    latched: str = ""
    _effects: list[Effect] = field(default_factory=list)

    def submit(self, command: Command) -> None:
        """Take a command.

        Raises:
            TandemError: `QUEUE_FULL`, or `ROBOT_STOPPED` while a stop is latched.
        """
        if self.latched:
            raise TandemError(
                "ROBOT_STOPPED", f"the robot was stopped: {self.latched}", fix="reset it, then say it again"
            )
        if len(self.waiting) >= MAX_WAITING:
            raise TandemError(
                "QUEUE_FULL", f"{MAX_WAITING} commands wait already", fix="wait, or cancel some"
            )
        self._forget()
        self.waiting.append(command.id)
        self._put(command)
        self._go_on(command.created_at)

    def note(self, command: Command) -> None:
        """Take down a command that was over as it came: a word that stopped the robot."""
        self._put(command)

    def cancel(self, command_id: str, now: datetime) -> None:
        """Cancel. Again is no error.

        Raises:
            TandemError: `ALREADY_ENDED`, `COMMAND_UNKNOWN`.
        """
        command = self.get(command_id)
        if command.state in (State.CANCELLING, State.CANCELLED):
            return
        if command.terminal:
            raise TandemError("ALREADY_ENDED", f"the command has ended: {command.state}")
        if command_id == self.running:
            self._put(command, state=State.CANCELLING, question=None)
            self._effects.append(Cancel(command_id))
        else:
            self.waiting.remove(command_id)
            self._end(
                command, _ended(command, Outcome.CANCELLED, "CANCELLED", "cancelled while it waited"), now
            )
            self._renumber()

    def answer(self, command_id: str, question: int, text: str) -> None:
        """Answer the open question. Raises `TandemError` (`NOT_ASKED`, `COMMAND_UNKNOWN`)."""
        command = self.get(command_id)
        if (
            command.state is not State.NEEDS_HELP
            or command.question is None
            or command.question.id != question
        ):
            raise TandemError(
                "NOT_ASKED", f"question {question} is not open", fix="look at the command again"
            )
        self._put(command, state=State.EXECUTING, question=None)
        self._effects.append(Answer(command_id, question, text))

    def amend(self, command_id: str, text: str) -> None:
        """Correct a command that runs. Raises `TandemError` (`NOT_RUNNING`, `COMMAND_UNKNOWN`)."""
        command = self.get(command_id)
        if command.state not in (State.EXECUTING, State.NEEDS_HELP):
            raise TandemError("NOT_RUNNING", f"the command is {command.state}", fix="give a new command")
        self._put(command, amendments=(*command.amendments, text))
        self._effects.append(Amend(command_id, text))

    def stop(self, reason: str, now: datetime) -> None:
        """A stop has been sent to the body: nothing begins, what runs ends, what waits is dropped."""
        self.latched = self.latched or reason or "stop"
        while self.waiting:
            command = self.commands[self.waiting.popleft()]
            self._end(
                command, _ended(command, Outcome.CANCELLED, "STOPPED", "dropped: the robot was stopped"), now
            )
        if self.running is not None and self.commands[self.running].state is not State.CANCELLING:
            self._put(self.commands[self.running], state=State.CANCELLING, question=None)
            self._effects.append(Cancel(self.running))

    def reset(self) -> None:
        """The latch is cleared. Raises `TandemError` (`STILL_ENDING`) while a command is ending."""
        if self.running is not None:
            raise TandemError("STILL_ENDING", "a command is still ending", fix="wait a moment, then again")
        self.latched = ""

    def mind_ready(self, now: datetime) -> None:
        """The mind can begin a command."""
        self.ready = True
        self._go_on(now)

    def mind_lost(self, now: datetime) -> None:
        """The mind has died: what it had is interrupted, what waited is not begun by itself."""
        self.ready = False
        message = "the process that carried it out has died"
        for command_id in [*([self.running] if self.running else []), *self.waiting]:
            command = self.commands[command_id]
            self._end(command, _ended(command, Outcome.INTERRUPTED, "MIND_LOST", message), now)
        self.running = None
        self.waiting.clear()

    def restarted(self, now: datetime) -> None:
        """The server is back: what had not ended is interrupted, and nothing goes on by itself."""
        for command in list(self.commands.values()):
            if not command.terminal:
                message = "the server ended while it was not done"
                self._end(command, _ended(command, Outcome.INTERRUPTED, "INTERRUPTED", message), now)

    def asked(self, command_id: str, question: Question) -> None:
        """The mind asks a person."""
        if command_id == self.running and self.commands[command_id].state is State.EXECUTING:
            self._put(self.commands[command_id], state=State.NEEDS_HELP, question=question)

    def unasked(self, command_id: str) -> None:
        """The mind waits no longer."""
        if command_id == self.running and self.commands[command_id].state is State.NEEDS_HELP:
            self._put(self.commands[command_id], state=State.EXECUTING, question=None)

    def finished(self, command_id: str, result: CommandResult, now: datetime) -> None:
        """The mind is through with a command. What it says of one that it does not have is passed over."""
        if command_id != self.running:
            return
        self.running = None
        self._end(self.commands[command_id], result, now)
        self._go_on(now)

    def expire(self, now: datetime) -> None:
        """Drop what has waited so long that nobody may still want it."""
        for command_id in list(self.waiting):
            command = self.commands[command_id]
            if now - command.created_at > LONGEST_WAIT:
                self.waiting.remove(command_id)
                self._end(command, _ended(command, Outcome.CANCELLED, "EXPIRED", "it waited too long"), now)
        self._renumber()

    def get(self, command_id: str) -> Command:
        """The command. Raises `TandemError` (`COMMAND_UNKNOWN`)."""
        command = self.commands.get(command_id)
        if command is None:
            raise TandemError("COMMAND_UNKNOWN", f"there is no command {command_id[:40]}")
        return command

    def effects(self) -> list[Effect]:
        """What has to be done, in order. Once."""
        done, self._effects = self._effects, []
        return done

    def _forget(self) -> None:
        """The oldest that have ended make room."""
        for command_id in list(self.commands)[: max(0, len(self.commands) - KEPT)]:
            if self.commands[command_id].terminal:
                del self.commands[command_id]

    def _go_on(self, now: datetime) -> None:
        if self.running is None and self.waiting and self.ready and not self.latched:
            command = self.commands[self.waiting.popleft()]
            self.running = command.id
            begun = self._put(command, state=State.EXECUTING, started_at=now, queue_position=None)
            self._effects.append(Start(begun))
        self._renumber()

    def _renumber(self) -> None:
        for position, command_id in enumerate(self.waiting):
            if self.commands[command_id].queue_position != position:
                self._put(self.commands[command_id], queue_position=position)

    def _end(self, command: Command, result: CommandResult, now: datetime) -> None:
        self._put(
            command,
            state=_STATES.get(result.outcome, State.ABORTED),
            terminal=True,
            ended_at=now,
            queue_position=None,
            question=None,
            result=result,
        )

    def _put(self, command: Command, **changes: object) -> Command:
        command = command.model_copy(update=changes)
        self.commands[command.id] = command
        self._effects.append(Changed(command))
        return command


def _ended(command: Command, outcome: Outcome, code: str, message: str) -> CommandResult:
    return CommandResult(outcome=outcome, code=code, message=message, instruction=command.instruction)


def illegal(ledger: Ledger) -> Iterable[str]:
    """What must never be so, as sentences; empty for a ledger in a legal state."""
    rules: dict[str, Callable[[Command], bool]] = {
        "terminal says what the state says": lambda c: c.terminal == (c.state in TERMINAL),
        "exactly what has ended has a result": lambda c: (c.result is not None) == c.terminal,
        "exactly what has ended has an end": lambda c: (c.ended_at is not None) == c.terminal,
        "exactly what needs help has a question": lambda c: (
            (c.question is not None) == (c.state is State.NEEDS_HELP)
        ),
        "what waits is accepted": lambda c: (c.id in ledger.waiting) == (c.state is State.ACCEPTED),
        "one motion at a time": lambda c: (
            (c.id == ledger.running) == (c.state in (State.EXECUTING, State.NEEDS_HELP, State.CANCELLING))
        ),
    }
    for command in ledger.commands.values():
        for rule, holds in rules.items():
            if not holds(command):
                yield f"{command.id}: not so: {rule}"
    if ledger.latched and ledger.waiting:
        yield "nothing waits while a stop is latched"
    if len(ledger.waiting) > MAX_WAITING:
        yield "the queue is bounded"
