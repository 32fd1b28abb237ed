"""`tandem plan`: what would be done."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.text import Text

from agent.planner.protocol import Plan, Question, Refusal
from api.assemble import RunOptions, plan_command
from api.pictures import plan_tree, scene_table
from api.text import printable
from skills.scene import Scene
from skills.verify import Proof, prove


def show_plan(options: RunOptions, console: Console, *, as_json: bool) -> bool:
    """Perceive, plan, prove and show; True when there is a plan that works."""
    with console.status("looking and thinking"):
        scene, decision = plan_command(options)
    if as_json:
        told = _as_json(scene, decision)
        sys.stdout.write(json.dumps(told) + "\n")
        return "order" in told
    console.print(scene_table(scene))
    match decision:
        case Plan(graph=graph, goal=goal):
            console.print(plan_tree(graph, "plan") if graph else "nothing to do: it is already so")
            proof = prove(graph, scene, goal)
            console.print(
                "proved" if isinstance(proof, Proof) else Text(f"cannot work: {printable(proof.reason)}")
            )
            return isinstance(proof, Proof)
        case Question(text=text, options=choices):
            console.print(Text(printable("\n  - ".join((f"? {text}", *choices)))))
        case Refusal(code=code, message=message, fix=fix):
            console.print(Text(printable(f"{code} {message}" + (f"\nfix: {fix}" if fix else ""))))
    return False


def _as_json(scene: Scene, decision: Plan | Question | Refusal) -> dict[str, object]:
    seen = scene.model_dump(mode="json")
    match decision:
        case Plan(graph=graph, goal=goal, form=form):
            proof = prove(graph, scene, goal)
            proved = {"order": list(proof.order)} if isinstance(proof, Proof) else {"refuted": proof.reason}
            understood = form.model_dump(mode="json") if form else None
            return {"decision": "plan", "scene": seen, "understood": understood, **graph.as_json(), **proved}
        case Question(text=text, options=options, code=code):
            return {
                "decision": "question",
                "scene": seen,
                "code": code,
                "text": text,
                "options": list(options),
            }
        case Refusal(code=code, message=message, fix=fix):
            return {"decision": "refusal", "scene": seen, "code": code, "message": message, "fix": fix}
