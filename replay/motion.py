"""What moved the arm in a recorded run, in order, ready to be done again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from traces import names
from traces.errors import TandemError
from traces.run import RecordedSpan, Run
from vla_low_level.action import ActionChunk

STOP = "stop"


@dataclass(frozen=True, slots=True)
class ChunkMotion:
    """A chunk, and what came of it then.

    Attributes:
        span: Where it is on record.
        chunk: What was asked for.
        max_steps: Control steps after which a stop came; None when none did.
        state_hash: The physical state afterwards; empty when the run died before it was known.
        time_s: The body's clock afterwards, s; None when unknown.
    """

    span: RecordedSpan
    chunk: ActionChunk
    max_steps: int | None
    state_hash: str
    time_s: float | None

    @property
    def label(self) -> str:
        """The span's name."""
        return self.span.name

    @property
    def start_ns(self) -> int:
        """When, since the epoch, ns."""
        return self.span.start_ns


@dataclass(frozen=True, slots=True)
class OtherMotion:
    """A hold, stop or reset between chunks; `name` is one of the log names of `traces.names`."""

    name: str
    time_ns: int
    reason: str


Motion = ChunkMotion | OtherMotion


def recorded_motion(run: Run) -> tuple[Motion, ...]:
    """Everything that moved the arm, in the order in which it did.

    A stop that cut a chunk short is part of that chunk.

    Raises:
        TandemError: `REPLAY_INCOMPLETE` when a chunk lacks what its repetition needs, `BLOB_MISSING` or
            `BLOB_CORRUPT`.
    """
    spans = run.named(names.CHUNK)
    chunks = [_chunk(run, span) for span in spans]
    cut = [
        (span.start_ns, span.end_ns or run.last_ns)
        for span, motion in zip(spans, chunks, strict=True)
        if motion.max_steps is not None
    ]
    logs = [*run.logs, *(log for _, span in run.walk() for log in span.logs)]
    others = [
        OtherMotion(log.name, log.time_ns, str(log.attributes.get(names.REASON, "")))
        for log in logs
        if log.name in (names.BODY_HOLD, names.BODY_RESET, names.BODY_STOP)
        and not (log.name == names.BODY_STOP and any(a <= log.time_ns <= b for a, b in cut))
    ]
    return tuple(sorted([*chunks, *others], key=_when))


def _when(motion: Motion) -> int:
    return motion.start_ns if isinstance(motion, ChunkMotion) else motion.time_ns


def _chunk(run: Run, span: RecordedSpan) -> ChunkMotion:
    facts = span.attributes
    try:
        arrays = run.blobs.get_arrays(facts[names.CHUNK_REF])
        chunk = ActionChunk(
            actions=arrays["actions"],
            rate_hz=_number(facts[names.CHUNK_RATE_HZ]),
            expires_s=_number(facts[names.CHUNK_EXPIRES_S]),
            chunk_id=int(_number(facts[names.CHUNK_ID])),
            policy_id=str(facts.get(names.POLICY_ID, "")),
            observation_sequence=int(_number(facts.get(names.OBSERVATION_SEQUENCE, 0))),
        )
        stopped = facts.get(names.GUARD_DECISION) == STOP
        return ChunkMotion(
            span=span,
            chunk=chunk,
            max_steps=int(_number(facts[names.CHUNK_STEPS_EXECUTED])) if stopped else None,
            state_hash=str(facts.get(names.STATE_HASH, "")),
            time_s=_number(facts[names.BODY_TIME_S]) if names.BODY_TIME_S in facts else None,
        )
    except (KeyError, ValueError, TypeError, OverflowError) as cause:
        raise TandemError(
            "REPLAY_INCOMPLETE", f"`{span.name}` cannot be repeated from its record: {cause}"
        ) from cause


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)
