"""A run along one clock: pictures, the arm, scores, the node at work. What every viewer is made from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from traces import names
from traces.errors import TandemError
from traces.facts import kind_of, scores_of
from traces.run import RecordedSpan, Run

CAMERAS = ("overhead", "table", "wrist", "front")


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture.

    Attributes:
        time_ns: Wall clock, since the epoch.
        body_s: The body's clock, s; None when unknown.
        camera: Whose.
        ref: The blob.
    """

    time_ns: int
    body_s: float | None
    camera: str
    ref: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The arm and the monitor at a chunk.

    Attributes:
        span: The chunk.
        time_ns: Wall clock when it began, since the epoch.
        body_s: The body's clock then, s; None when unknown.
        number: Which chunk of the command; -1 when unknown.
        node: The skill graph's node at work, with its attempt; empty outside of any.
        joint_rad: float64 [dof]; None when the record has none.
        ee_m: float64 [3], tool centre point; None as above.
        scores: The monitor's scores with their bounds, by name.
    """

    span: RecordedSpan
    time_ns: int
    body_s: float | None
    number: int
    node: str
    joint_rad: NDArray[np.float64] | None
    ee_m: NDArray[np.float64] | None
    scores: dict[str, tuple[float, float | None]]


def frames_of(run: Run) -> Iterator[Frame]:
    """Every recorded picture in the order of time."""
    for _, span in sorted(run.walk(), key=lambda item: item[1].start_ns):
        for camera in CAMERAS:
            ref = span.attributes.get(names.camera_ref(camera))
            if isinstance(ref, str):
                yield Frame(span.start_ns, _seconds(span, names.OBSERVATION_TIME_S), camera, ref)


def samples_of(run: Run) -> Iterator[Sample]:
    """Every chunk in the order of time; what is not on record or damaged stays empty."""
    nodes = {span.ref.span_id: _node(span) for _, span in run.walk() if kind_of(span) == "execute_tool"}
    for span in run.named(names.CHUNK):
        body = _body(run, span)
        number = span.attributes.get(names.CHUNK_ID)
        yield Sample(
            span=span,
            time_ns=span.start_ns,
            body_s=_seconds(span, names.OBSERVATION_TIME_S),
            number=number if isinstance(number, int) else -1,
            node=nodes.get(span.parent_id or "", ""),
            joint_rad=body.get("joint_position_rad"),
            ee_m=body.get("ee_position_m"),
            scores=scores_of(span),
        )


def _node(span: RecordedSpan) -> str:
    told = span.attributes
    return f"{told.get(names.TOOL_CALL_ID, span.name)} (try {told.get(names.SKILL_ATTEMPT, 1)})"


def _body(run: Run, span: RecordedSpan) -> dict[str, NDArray[Any]]:
    ref = span.attributes.get(names.PROPRIOCEPTION_REF)
    with contextlib.suppress(TandemError):
        return run.blobs.get_arrays(str(ref))
    return {}


def _seconds(span: RecordedSpan, key: str) -> float | None:
    value = span.attributes.get(key)
    return float(value) if isinstance(value, int | float) else None
