"""Cancel, stop, answer, amend and new commands in any order, against a mind that ends at any moment."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.outcome import CommandResult, Outcome
from api.server.lifecycle import Amend, Answer, Cancel, Ledger, Start, illegal
from api.server.schema import TERMINAL, Command, Question, State
from traces.errors import TandemError

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
REFUSALS = {"", "ALREADY_ENDED", "NOT_ASKED", "NOT_RUNNING", "QUEUE_FULL", "ROBOT_STOPPED", "STILL_ENDING"}
OUTCOMES = st.sampled_from(list(Outcome))


class Desk(RuleBasedStateMachine):
    """A robot that can move only while a command runs and no stop is latched."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.now = NOON
        self.mind_has: str | None = None
        self.started: list[str] = []
        self.ended: dict[str, State] = {}
        self.question = 0

    def settle(self) -> None:
        for effect in self.ledger.effects():
            match effect:
                case Start(command):
                    assert self.mind_has is None, "one motion at a time"
                    assert not self.ledger.latched, "nothing begins while a stop is latched"
                    assert command.id not in self.started, "a command begins once"
                    self.mind_has = command.id
                    self.started.append(command.id)
                case Cancel(command_id) | Answer(command_id, _, _) | Amend(command_id, _):
                    assert command_id == self.mind_has, "only what runs is spoken to"

    def pick(self, number: int) -> str:
        known = list(self.ledger.commands)
        return known[number % len(known)]

    def told(self, call: object, *args: object) -> None:
        code = ""
        try:
            call(*args)  # type: ignore[operator]
        except TandemError as error:
            code = error.code
        assert code in REFUSALS
        self.settle()

    @rule()
    def submit(self) -> None:
        self.now += timedelta(seconds=1)
        number = len(self.ledger.commands)
        command = Command(
            id=f"c-{number:016x}", instruction="tidy up", state=State.ACCEPTED, created_at=self.now
        )
        self.told(self.ledger.submit, command)

    @precondition(lambda self: self.ledger.commands)
    @rule(which=st.integers(0, 50))
    def cancel(self, which: int) -> None:
        self.told(self.ledger.cancel, self.pick(which), self.now)

    @rule()
    def stop(self) -> None:
        self.told(self.ledger.stop, "stop", self.now)
        assert not self.ledger.waiting

    @rule()
    def reset(self) -> None:
        self.told(self.ledger.reset)

    @precondition(lambda self: self.ledger.commands)
    @rule(which=st.integers(0, 50), ahead=st.integers(-1, 1))
    def answer(self, which: int, ahead: int) -> None:
        self.told(self.ledger.answer, self.pick(which), self.question + ahead, "the red one")

    @precondition(lambda self: self.ledger.commands)
    @rule(which=st.integers(0, 50))
    def amend(self, which: int) -> None:
        self.told(self.ledger.amend, self.pick(which), "not the red one")

    @precondition(lambda self: self.mind_has)
    @rule()
    def asks(self) -> None:
        self.question += 1
        asked = Question(id=self.question, text="which?", asked_at=self.now, expires_at=self.now)
        self.ledger.asked(self.mind_has or "", asked)
        self.settle()

    @precondition(lambda self: self.mind_has)
    @rule()
    def gives_up_asking(self) -> None:
        self.ledger.unasked(self.mind_has or "")
        self.settle()

    @precondition(lambda self: self.mind_has)
    @rule(outcome=OUTCOMES)
    def finishes(self, outcome: Outcome) -> None:
        done, self.mind_has = self.mind_has or "", None
        self.ledger.finished(done, CommandResult(outcome=outcome), self.now)
        assert self.ledger.commands[done].terminal
        self.settle()

    @precondition(lambda self: self.started)
    @rule(which=st.integers(0, 50))
    def says_again_that_it_finished(self, which: int) -> None:
        old = self.started[which % len(self.started)]
        if old != self.mind_has:
            self.ledger.finished(old, CommandResult(outcome=Outcome.FAILED), self.now)
            self.settle()

    @rule()
    def mind_comes(self) -> None:
        if self.mind_has is None:
            self.ledger.mind_ready(self.now)
            self.settle()

    @rule()
    def mind_dies(self) -> None:
        self.mind_has = None
        self.ledger.mind_lost(self.now)
        self.settle()

    @rule()
    def server_is_killed(self) -> None:
        self.mind_has = None
        latched = self.ledger.latched
        self.ledger = Ledger(dict(self.ledger.commands), latched=latched)
        self.ledger.restarted(self.now)
        self.settle()
        assert all(command.terminal for command in self.ledger.commands.values())

    @rule(minutes=st.integers(0, 40))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.ledger.expire(self.now)
        self.settle()

    @invariant()
    def every_state_is_legal(self) -> None:
        assert not list(illegal(self.ledger))
        assert self.ledger.running == self.mind_has

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        for command in self.ledger.commands.values():
            if command.state in TERMINAL:
                assert self.ended.setdefault(command.id, command.state) is command.state


TestInterleavings = Desk.TestCase
TestInterleavings.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


def moves(desk: Desk, pick: random.Random) -> list[Callable[[], None]]:
    """What can happen now."""
    n, some, busy = pick.randrange(51), bool(desk.ledger.commands), desk.mind_has is not None
    can = [*[desk.submit] * 3, desk.stop, desk.reset, desk.reset, desk.mind_comes]
    can += [desk.mind_dies, desk.server_is_killed] if n % 3 == 0 else []
    can += [lambda: desk.time_passes(minutes=n % 41)]
    if some:
        can += [lambda: desk.cancel(which=n), lambda: desk.amend(which=n)]
        can += [lambda: desk.answer(which=n, ahead=n % 3 - 1)]
    if busy:
        outcome = pick.choice(list(Outcome))
        can += [desk.asks, desk.gives_up_asking, lambda: desk.finishes(outcome=outcome)]
    if desk.started:
        can += [lambda: desk.says_again_that_it_finished(which=n)]
    return can


def walk(pick: random.Random, steps: int) -> None:
    """One interleaving, with the same rules and invariants; no shrinking, so it is quick."""
    desk = Desk()
    for _ in range(steps):
        pick.choice(moves(desk, pick))()
        desk.every_state_is_legal()
        desk.what_has_ended_stays_so()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_thousand_interleavings() -> None:
    for seed in range(20_000):
        walk(random.Random(seed), 30)
