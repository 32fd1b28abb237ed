"""Exchanges with language models on record: of a planner that decides, and of one that fails."""

from __future__ import annotations

import time
from collections.abc import Sequence

from agent.planner.protocol import Chat, History, Plan, Planner, PlanningError, Question, Refusal
from skills.scene import Scene
from traces import names
from traces.recorder import Recorder


def decided(
    planner: Planner, instruction: str, scene: Scene, history: Sequence[History], recorder: Recorder
) -> Plan | Question | Refusal:
    """The planner's decision; every exchange that it came to is recorded, whatever comes of it.

    Raises:
        TandemError: As the planner's `plan` does.
    """
    began_ns = time.monotonic_ns()
    try:
        decision = planner.plan(instruction, scene, history)
    except PlanningError as error:
        record_chats(recorder, error.chats, began_ns, time.monotonic_ns())
        raise
    record_chats(recorder, decision.chats, began_ns, time.monotonic_ns())
    return decision


def record_chats(recorder: Recorder, chats: Sequence[Chat], began_ns: int, ended_ns: int) -> None:
    """Write down the exchanges that led to a decision, under the span that is open.

    Each as long as it took, one after the other up to when the planner had decided.

    Args:
        recorder: Where to.
        chats: In the order in which they were held.
        began_ns: `time.monotonic_ns()` when the planner was asked.
        ended_ns: The same when it had decided.
    """
    left_ns = sum(round(chat.latency_s * 1e9) for chat in chats)
    for chat in chats:
        start_ns = max(began_ns, ended_ns - left_ns)
        left_ns -= round(chat.latency_s * 1e9)
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
        recorder.past(names.CHAT.format(model=chat.model), facts, start_ns, max(began_ns, ended_ns - left_ns))
