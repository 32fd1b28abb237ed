"""Exchanges with language models on record: those of a planner that decides, and of one that fails."""

from __future__ import annotations

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
    try:
        decision = planner.plan(instruction, scene, history)
    except PlanningError as error:
        _record(error.chats, recorder)
        raise
    _record(decision.chats, recorder)
    return decision


def _record(chats: Sequence[Chat], recorder: Recorder) -> None:
    """With prompt and reply as they were."""
    for chat in chats:
        facts = {
            names.PROVIDER: chat.provider,
            names.REQUEST_MODEL: chat.model,
            names.RESPONSE_FINISH: [chat.finish_reason],
            names.CHAT_INPUT_REF: recorder.text(chat.prompt),
            names.CHAT_OUTPUT_REF: recorder.text(chat.reply),
            names.CHAT_LATENCY_S: chat.latency_s,
        }
        with recorder.span(names.CHAT.format(model=chat.model), facts):
            pass
