"""A decision of the planner on record: what it was, what it was chosen from, and what led to it."""

from __future__ import annotations

from dataclasses import asdict

from agent.decisions import Decision, decision_json
from agent.planner.protocol import Chat, Plan, PredictionSet
from traces import names
from traces.recorder import Recorder
from traces.span import Span


def record_decision(recorder: Recorder, span: Span, decision: Decision) -> None:
    """Write a decision into the span of its planning; exchanges with a model become spans of their own."""
    for chat in decision.chats:
        _record_chat(recorder, chat)
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


def _record_chat(recorder: Recorder, chat: Chat) -> None:
    """One exchange, with prompt and reply as they were."""
    facts: dict[str, object] = {
        names.PROVIDER: chat.provider,
        names.REQUEST_MODEL: chat.model,
        names.RESPONSE_FINISH: [chat.finish_reason],
        names.CHAT_INPUT_REF: recorder.text(chat.prompt),
        names.CHAT_OUTPUT_REF: recorder.text(chat.reply),
        names.CHAT_LATENCY_S: chat.latency_s,
    }
    if chat.log_probability is not None:
        facts[names.CHAT_LOG_PROBABILITY] = chat.log_probability
    with recorder.span(names.CHAT.format(model=chat.model), facts):
        pass
