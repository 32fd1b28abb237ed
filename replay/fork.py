"""R3: go on from any chunk of a recorded run, in closed loop, with whatever is different from there on.

The run up to the chunk is executed again, command by command, and has to come out bit by bit; nothing is
restored from a saved state, because that is not exact in contact. What follows is a run of its own, whose
root links the chunk that it was forked from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from agent.budgets import Budgets
from agent.events import Event
from agent.executive import Company, Executive
from agent.mind import Mind
from agent.modules import Modules
from agent.outcome import CommandResult
from replay.motion import ChunkMotion, recorded_motion
from replay.prefix import (
    Prefix,
    PrefixPerceiver,
    PrefixPlanner,
    PrefixPolicy,
    PrefixRobot,
    PrefixRouter,
    diverged,
)
from replay.recorded import LOCKSTEP, check_repeatable, recorded_scene, run_facts
from sim.faults.record import record_fault, recorded_injection
from sim.robot import SimRobot
from skills.router import PolicyKind, Router
from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder
from traces.run import Run, SpanRef
from vla_low_level.recorded_robot import RecordedRobot

Progress = Callable[[int, int], None]
"""Told after every chunk: how many have been carried out, and which is the first that is new."""


@dataclass(frozen=True, slots=True)
class Fork:
    """What to do differently.

    Attributes:
        chunk: The first chunk that is decided anew; 0 decides everything anew.
        then: The modules from there on; those of the prefix when None.
        budgets: Budgets from there on, by name.
        told: All of it in words that JSON knows, for the record.
    """

    chunk: int
    then: Modules | None = None
    budgets: Mapping[str, int] | None = None
    told: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ForkReport:
    """What became of it.

    Attributes:
        result: How the command ended this time.
        state_hash: The physical state at the end; empty when no chunk was carried out.
        parent_hash: The same of the run it was forked from.
        drifted: Repeated chunks that today's policy would have made differently.
    """

    result: CommandResult
    state_hash: str
    parent_hash: str
    drifted: int

    @property
    def same_end(self) -> bool:
        """Whether both runs ended in the same physical state, to the last bit."""
        return self.state_hash == self.parent_hash


def fork(
    run: Run, modules: Modules, change: Fork, folder: Path, progress: Progress | None = None
) -> ForkReport:
    """Repeat a run up to a chunk and go on.

    Args:
        run: The parent; made in lockstep.
        modules: Those of the parent, as they are today.
        change: From where, and with what.
        folder: Where the new run is recorded.
        progress: Told of every chunk.

    Raises:
        TandemError: `FORK_CHUNK` when there is no such chunk, `REPLAY_DIVERGED` when the prefix does not come
            out as recorded, `REPLAY_REAL_TIME`, `REPLAY_USED_WORLD`, `REPLAY_INCOMPLETE`, and what recording
            raises.
    """
    facts = run_facts(run)
    check_repeatable(run)
    motions = [motion for motion in recorded_motion(run) if isinstance(motion, ChunkMotion)]
    prefix = Prefix(run, motions, _checked(change.chunk, motions))
    placed, injection = recorded_scene(run), recorded_injection(run)
    then = change.then or modules
    with Recorder.open(folder, _facts(run, change), origin=_origin(run, prefix)) as recorder:
        recorder.update(
            {names.SCENE_REF: recorder.json(placed.model_dump(mode="json")), names.CLOCK: LOCKSTEP}
        )
        recorder.update({names.PLANNER_ID: then.planner.planner_id})
        with SimRobot.start(placed, clock=LOCKSTEP, faults=injection) as body:
            body.on_fault = partial(record_fault, recorder, injection)
            body.on_work = partial(recorder.adopt, names.BODY_EXECUTE)
            robot = PrefixRobot(body, prefix)
            before = modules.router()
            mind = Mind(
                PrefixPerceiver(prefix, then.perceiver),
                PrefixPlanner(prefix, then.planner),
                PrefixRouter(prefix, before, before if then is modules else _router(modules, then, before)),
                _retreat(prefix, modules, then),
                modules.monitoring,
            )
            ask = _Answers(prefix) if prefix.answers else None
            company = Company(ask=ask, listener=_Listener(prefix, progress))
            executive = Executive(
                RecordedRobot(robot, recorder), mind, recorder, company, _budgets(prefix, change)
            )
            result = executive.run(str(facts[names.COMMAND_TEXT]))
    if result.code == "REPLAY_DIVERGED":
        raise TandemError(result.code, result.message, fix=result.fix)
    if not prefix.over:
        raise diverged(f"after {prefix.done} of {prefix.until} chunks", f"{result.code}: {result.message}")
    last = next((motion.state_hash for motion in reversed(motions) if motion.state_hash), "")
    return ForkReport(result, robot.last_hash, last, prefix.drifted)


def _checked(chunk: int, motions: Sequence[ChunkMotion]) -> int:
    """The chunk, if everything before it can be repeated."""
    if not 0 <= chunk <= len(motions):
        raise TandemError(
            "FORK_CHUNK",
            f"there is no chunk {chunk}",
            fix=f"the run has chunks 0 to {len(motions) - 1}; {len(motions)} goes on behind the last",
        )
    for number, motion in enumerate(motions[:chunk]):
        if not motion.state_hash or motion.max_steps is not None:
            raise TandemError(
                "FORK_CHUNK",
                f"chunk {number} was not carried out to its end",
                fix=f"go on from chunk {number} or an earlier one",
            )
    return chunk


def _facts(run: Run, change: Fork) -> dict[str, object]:
    """The parent's facts, and what is different."""
    told = dict(change.told or {})
    own = (names.SCHEMA, names.SCENE_REF, names.CLOCK, names.PLANNER_ID)
    facts: dict[str, object] = {key: value for key, value in run.attributes.items() if key not in own}
    return {
        **facts,
        names.PARENT_TRACE: run.trace_id,
        names.PARENT_CHUNK: change.chunk,
        names.PARENT_OVERRIDES: json.dumps(told, sort_keys=True),
    }


def _origin(run: Run, prefix: Prefix) -> SpanRef:
    """The chunk from which the new run is another one, or the whole run."""
    if prefix.until < len(prefix.spans):
        return prefix.spans[prefix.until].ref
    return (prefix.spans or run.roots)[-1].ref


def _router(modules: Modules, then: Modules, before: Router) -> Router:
    """The router of the new part: the old one where the policies are."""
    same = then.policies is modules.policies and then.only is modules.only
    return before if same else then.router()


def _retreat(prefix: Prefix, modules: Modules, then: Modules) -> PrefixPolicy:
    """Whoever brings the arm out of the camera's view."""
    before, after = modules.policies[PolicyKind.SPECIALIST], then.policies[PolicyKind.SPECIALIST]
    return PrefixPolicy(prefix, before, None if after is before else after)


class _Answers:
    """Gives the answers that a person gave in the repeated part; nobody is there for later questions."""

    def __init__(self, prefix: Prefix) -> None:
        self._left = list(prefix.answers)

    def __call__(self, _question: str, _options: Sequence[str]) -> str | None:
        """The next one."""
        return self._left.pop(0) if self._left else None


class _Listener:
    """Passes on how far it is."""

    def __init__(self, prefix: Prefix, progress: Progress | None) -> None:
        self._prefix, self._progress = prefix, progress

    def __call__(self, _event: Event) -> None:
        """Take note of an event."""
        if self._progress is not None:
            self._progress(self._prefix.done, self._prefix.until)


class _Budgets:
    """Budgets that change when the repeated part is over."""

    def __init__(self, prefix: Prefix, later: Budgets) -> None:
        self._prefix, self._now, self._later = prefix, Budgets(), later

    def __getattr__(self, name: str) -> object:
        return getattr(self._later if self._prefix.over else self._now, name)


def _budgets(prefix: Prefix, change: Fork) -> Budgets | None:
    if not change.budgets:
        return None
    later = replace(Budgets(), **change.budgets)
    return cast(Budgets, _Budgets(prefix, later))
