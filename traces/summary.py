"""One line about a run, and which lines are wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from traces import names
from traces.errors import TandemError
from traces.reader import salvage_run
from traces.run import Run, SpanStatus
from traces.storage import RESULT_FILE

UNFINISHED = "unfinished"
_MAX_RESULT_BYTES = 1 << 20
_INT64 = 1 << 63


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What the index knows about a run.

    Attributes:
        folder: Where it is.
        command: The instruction; empty when the record cannot be read.
        outcome: From `result.json`; `unfinished` where there is none.
        code: Stable reason; empty on success.
        started_ns: When it began, since the epoch, ns; None when the record cannot be read.
        duration_s: Wall time, s; None when there is no result.
        chunks: Action chunks on record.
        closed: Whether the recorder was closed.
        trace_id: 32 hex digits.
        parent: Trace id of the run that it was forked from; empty for most.
        scene: Name of the scene.
        arm: Which arm.
        seed: Seed of the run; None when unknown.
        planner: Planner backend and model.
        version: Of the Tandem that wrote it.
        skills: Skills that were tried.
        codes: Failure codes of its spans.
        policies: Policies that made its chunks.
    """

    folder: Path
    command: str = ""
    outcome: str = UNFINISHED
    code: str = ""
    started_ns: int | None = None
    duration_s: float | None = None
    chunks: int = 0
    closed: bool = False
    trace_id: str = ""
    parent: str = ""
    scene: str = ""
    arm: str = ""
    seed: int | None = None
    planner: str = ""
    version: str = ""
    skills: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.name

    @property
    def when(self) -> datetime | None:
        """When it began, UTC."""
        try:
            return None if self.started_ns is None else datetime.fromtimestamp(self.started_ns / 1e9, UTC)
        except (OverflowError, ValueError, OSError):
            return None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs are wanted; empty fields do not matter.

    Attributes:
        outcome: How it ended.
        skill: A skill that was tried.
        code: A failure code, of the command or of any span.
        policy: Beginning of the name of a policy that made a chunk.
        planner: Beginning of the planner's name.
        version: Beginning of Tandem's version.
        text: Part of the instruction.
        since: Not earlier than this.
        until: Earlier than this.
    """

    outcome: str = ""
    skill: str = ""
    code: str = ""
    policy: str = ""
    planner: str = ""
    version: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def terms(self) -> tuple[list[str], list[object]]:
        """Conditions on the table `runs`, with the values of their parameters."""
        inside = "folder IN (SELECT folder FROM {} WHERE value {} ?)"
        pairs: list[tuple[str, object]] = [
            ("outcome = ?", self.outcome),
            (inside.format("skills", "="), self.skill),
            (inside.format("policies", "GLOB"), _beginning(self.policy)),
            ("planner GLOB ?", _beginning(self.planner)),
            ("version GLOB ?", _beginning(self.version)),
            ("instr(lower(command), ?) > 0", self.text.lower()),
            ("started_ns >= ?", self.since and _ns(self.since)),
            ("started_ns < ?", self.until and _ns(self.until)),
        ]
        terms = [term for term, value in pairs if value]
        values = [value for _, value in pairs if value]
        if self.code:
            terms.append(f"(code = ? OR {inside.format('codes', '=')})")
            values += [self.code, self.code]
        return terms, values


def _beginning(text: str) -> str:
    """A pattern for texts that begin so; what means something in a pattern is taken literally."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text) + "*" if text else ""


def _ns(when: datetime) -> int:
    return int(when.timestamp() * 1e9)


def summarise(folder: Path) -> RunSummary:
    """Read a run. Never raises for a bad one: what cannot be read stays empty."""
    try:
        told = _of_trace(salvage_run(folder).run)
    except TandemError:
        told = {}
    # After the trace: whoever finds it closed finds the result that was written before.
    result = _result(folder / RESULT_FILE)
    about: dict[str, Any] = {
        "command": _text(result.get("instruction")),
        "outcome": _text(result.get("outcome")) or UNFINISHED,
        "code": _text(result.get("code")),
        "duration_s": _number(result.get("wall_s")),
    }
    return RunSummary(folder, **about | told)


def _of_trace(run: Run) -> dict[str, Any]:
    facts, spans = run.attributes, [span for _, span in run.walk()]
    kinds: dict[str, set[object]] = {
        "skills": {span.attributes.get(names.TOOL_NAME) for span in spans},
        "codes": {span.code for span in spans if span.status is SpanStatus.ERROR},
        "policies": {span.attributes.get(names.POLICY_ID) for span in spans},
    }
    told: dict[str, Any] = {
        name: tuple(sorted({_text(v) for v in found} - {""})) for name, found in kinds.items()
    }
    if command := _text(facts.get(names.COMMAND_TEXT)):
        told["command"] = command
    seed = facts.get(names.SEED)
    return told | {
        "started_ns": run.started_ns,
        "chunks": sum(span.name.startswith("chunk ") for span in spans),
        "closed": run.closed,
        "trace_id": run.trace_id,
        "parent": _text(facts.get(names.PARENT_TRACE)),
        "scene": _text(facts.get(names.SCENE_NAME)),
        "arm": _text(facts.get(names.EMBODIMENT)),
        "seed": seed if isinstance(seed, int) and -_INT64 <= seed < _INT64 else None,
        "planner": _text(facts.get(names.PLANNER_ID)),
        "version": _text(facts.get(names.CODE_VERSION)),
    }


def _result(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _MAX_RESULT_BYTES:
            return {}
        result = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return result if isinstance(result, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
