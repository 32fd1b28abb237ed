"""What a person's answer has settled is not read again: only the scene is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.planner.answers import settled_form
from agent.planner.grounder import ground
from agent.planner.protocol import History, Plan, Question, Refusal
from skills.scene import Scene


def settled(scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal | None:
    """What the option that was taken comes to on this scene; None when the latest answer took none."""
    form = settled_form(history)
    if form is None:
        return None
    found = ground(form, scene, history)
    if isinstance(found, Question) and found.objects:
        return replace(found, forms=(form.text(),) * len(found.objects))
    return found
