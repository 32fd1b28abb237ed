"""A recorded run on one clock, as JSON for the run's page; pictures are named by their blobs."""

from __future__ import annotations

from typing import Any

from api.server.told import graph_json
from skills.graph import SkillGraph
from traces import names
from traces.errors import TandemError
from traces.html import seconds_in, spans_data
from traces.run import RecordedSpan, Run
from traces.timeline import frames_of, samples_of

MAX_FRAMES = 4000


def timeline(run: Run) -> dict[str, Any]:
    """Spans, pictures, scores with their bounds, plans, and nodes as they were tried. Times in s."""
    return {
        **spans_data(run),
        "frames": _frames(run),
        "scores": _scores(run),
        "plans": [plan for span in run.named(names.PLAN) if (plan := _plan(run, span)) is not None],
        "nodes": [_node(run, span) for span in run.named(names.SKILL)],
    }


def _frames(run: Run) -> dict[str, list[dict[str, Any]]]:
    every = list(frames_of(run))
    frames: dict[str, list[dict[str, Any]]] = {}
    for frame in every[:: 1 + len(every) // MAX_FRAMES]:
        frames.setdefault(frame.camera, []).append({"t": seconds_in(run, frame.time_ns), "image": frame.ref})
    return frames


def _scores(run: Run) -> list[dict[str, Any]]:
    lines: dict[str, list[list[float | None]]] = {}
    for sample in samples_of(run):
        for name, (score, bound) in sample.scores.items():
            lines.setdefault(name, []).append([seconds_in(run, sample.time_ns), score, bound])
    return [{"name": name, "points": points} for name, points in sorted(lines.items())]


def _plan(run: Run, span: RecordedSpan) -> dict[str, Any] | None:
    """A plan that was made; None for a question, a refusal, or a record that is damaged."""
    ref = span.attributes.get(names.PLAN_REF)
    try:
        graph = SkillGraph.model_validate(run.blobs.get_json(str(ref)))
    except (TandemError, ValueError):
        return None
    return {
        "t": seconds_in(run, span.end_ns or span.start_ns),
        "version": span.attributes.get(names.PLAN_VERSION, 0),
        "reason": span.attributes.get(names.PLAN_TRIGGER, ""),
        **graph_json(graph),
    }


def _node(run: Run, span: RecordedSpan) -> dict[str, Any]:
    told = span.attributes
    return {
        "node": told.get(names.TOOL_CALL_ID, span.name),
        "attempt": told.get(names.SKILL_ATTEMPT, 1),
        "start": seconds_in(run, span.start_ns),
        "end": None if span.end_ns is None else seconds_in(run, span.end_ns),
        "succeeded": told.get(names.SKILL_SUCCEEDED),
        "reason": told.get(names.SKILL_REASON, ""),
    }
