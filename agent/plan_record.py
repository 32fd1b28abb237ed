"""A decision of the planner on record: what it was, and what it was chosen from."""

from __future__ import annotations

from dataclasses import asdict

from agent.decisions import Decision, decision_json
from agent.planner.protocol import Plan, PredictionSet
from traces import names
from traces.recorder import Recorder
from traces.span import Span


def record_decision(recorder: Recorder, span: Span, decision: Decision) -> None:
    """Write a decision into the span of its planning."""
    span.set(names.PLAN_DECISION, type(decision).__name__.lower())
    span.set(names.PLAN_DECISION_REF, recorder.json(decision_json(decision)))
    if decision.among is not None:
        _record_set(recorder, span, decision.among)
    if isinstance(decision, Plan):
        span.set(names.PLAN_REF, recorder.json(decision.graph.as_json()))
        span.set(names.PLAN_NODES, len(decision.graph.nodes))


def _record_set(recorder: Recorder, span: Span, among: PredictionSet) -> None:
    span.update(
        {
            names.PLAN_SET_REF: recorder.json(asdict(among)),
            names.PLAN_SET_SIZE: sum(candidate.likely for candidate in among.candidates),
            names.PLAN_SET_THRESHOLD: among.threshold,
            names.PLAN_SET_BASIS: among.basis,
            names.PLAN_SET_CALIBRATED: among.calibrated,
        }
    )
