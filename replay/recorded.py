"""What a recorded run saw, decided and did, ready to be given again to those who decide."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from agent.decisions import Decision, read_decision, read_history
from agent.planner.protocol import History
from sim.scene import PlacedScene
from skills.library import Skill
from skills.scene import Scene
from traces import names
from traces.errors import TandemError
from traces.run import RecordedSpan, Run
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction
from vla_low_level.recording import read_instruction, read_observation

LOCKSTEP: Final = "lockstep"
T = TypeVar("T")
_SKILL: TypeAdapter[Skill] = TypeAdapter(Skill)


def run_facts(run: Run) -> dict[str, object]:
    """What the run's first record and its root spans say."""
    facts = dict(run.attributes)
    for root in run.roots:
        facts.update(root.attributes)
    return facts


def check_repeatable(run: Run) -> None:
    """Refuse a run whose clock nobody can turn back, and one that did not begin in a new world.

    Raises:
        TandemError: `REPLAY_REAL_TIME`, `REPLAY_USED_WORLD`.
    """
    facts = run_facts(run)
    if facts.get(names.CLOCK, LOCKSTEP) != LOCKSTEP:
        raise TandemError(
            "REPLAY_REAL_TIME",
            f"{run.folder} was recorded with --realtime: how long the arm waited for each chunk, and where "
            "one took over from another, was up to the clock and is not on record",
            fix="`tandem replay RUN --level view` shows it; a run without --realtime can be repeated",
        )
    if facts.get(names.WORLD_USED):
        raise TandemError(
            "REPLAY_USED_WORLD",
            f"{run.folder} began where earlier commands to the same server had left arm, objects and memory, "
            "which is not on its record",
            fix="`tandem replay RUN --level view` shows it; a server's first command can be repeated, and "
            "whatever `tandem run` records",
        )


def recorded_scene(run: Run) -> PlacedScene:
    """The world that the run took place in.

    Raises:
        TandemError: `REPLAY_INCOMPLETE`, `BLOB_MISSING` or `BLOB_CORRUPT`.
    """
    ref = run_facts(run).get(names.SCENE_REF)
    if not isinstance(ref, str):
        raise TandemError("REPLAY_INCOMPLETE", f"{run.folder} does not say in which scene it took place")
    try:
        return PlacedScene.model_validate(run.blobs.get_json(ref))
    except ValidationError as cause:
        raise TandemError("REPLAY_INCOMPLETE", f"the recorded scene cannot be built: {cause}") from cause


class Inputs:
    """Reads what decisions were made from.

    Instructions are the same object as long as they are the same, as they were for the policy: it takes
    another object for another subgoal.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._instructions = lru_cache(4)(lambda ref: read_instruction(run.blobs.get_json(ref)))

    def observation(self, span: RecordedSpan) -> Observation:
        """What was seen and felt."""
        return _read(span, lambda: read_observation(self.run.blobs, span.attributes))

    def instruction(self, span: RecordedSpan) -> Instruction:
        """What the policy was told for a chunk."""
        return _read(span, lambda: self._instructions(span.attributes[names.INSTRUCTION_REF]))

    def scene(self, span: RecordedSpan, key: str) -> Scene:
        """A perceived scene, by the attribute that names it."""
        return _read(span, lambda: Scene.model_validate(self._json(span, key)))

    def decision(self, span: RecordedSpan) -> Decision:
        """What the planner said."""
        return _read(span, lambda: read_decision(self._json(span, names.PLAN_DECISION_REF)))

    def history(self, span: RecordedSpan) -> tuple[History, ...]:
        """What the planner was told of before."""
        return _read(span, lambda: read_history(self._json(span, names.PLAN_HISTORY_REF)))

    def skill(self, span: RecordedSpan) -> Skill:
        """The skill of an attempt."""
        return _read(span, lambda: _SKILL.validate_python(_skill_fields(span.attributes)))

    def _json(self, span: RecordedSpan, key: str) -> Any:
        return self.run.blobs.get_json(span.attributes[key])


def _skill_fields(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": attributes[names.TOOL_NAME], **json.loads(attributes[names.TOOL_ARGUMENTS])}


def _read(span: RecordedSpan, read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise TandemError(
            "REPLAY_INCOMPLETE",
            f"`{span.name}` lacks what it was decided from ({cause!r:.200})",
            fix="record the run again with this version; older ones wrote down less",
        ) from cause


def path_of(run: Run, wanted: RecordedSpan) -> str:
    """Where a span stands, from its command down: `execute_tool pick > chunk 3`."""
    return " > ".join(span.name for span in ancestry(run, wanted))


def ancestry(run: Run, wanted: RecordedSpan) -> tuple[RecordedSpan, ...]:
    """A span with everything that contains it, outermost first; the workflow and the agent are left out."""
    known = {span.ref.span_id: span for _, span in run.walk()}

    def upwards() -> Iterator[RecordedSpan]:
        at: RecordedSpan | None = wanted
        while at is not None:
            yield at
            at = known.get(at.parent_id or "")

    outer = (names.COMMAND, names.AGENT)
    return tuple(reversed([span for span in upwards() if span is wanted or span.name not in outer]))
