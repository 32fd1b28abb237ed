"""`tandem plan`: what would be done."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.planner.explain import explain
from agent.planner.protocol import Plan, Question, Refusal
from api.assemble import plan_command
from api.options import RunOptions
from api.pictures import plan_tree, scene_table, set_table
from api.text import printable
from skills.render import as_mermaid, as_picture
from skills.scene import Scene
from skills.verify import Proof, Refutation, prove


@dataclass(frozen=True, slots=True)
class Shown:
    """How a plan is shown.

    Attributes:
        as_json: One JSON object on stdout and nothing else.
        reasons: Say which words led to which steps, and what else may have been meant.
        mermaid: Print the graph in Mermaid's syntax.
        png: Draw the graph into this file.
    """

    as_json: bool = False
    reasons: bool = False
    mermaid: bool = False
    png: Path | None = None


def show_plan(options: RunOptions, console: Console, shown: Shown) -> bool:
    """Perceive, plan, prove and show; True when there is a plan that works."""
    with console.status("looking and thinking"):
        scene, decision, planning_s = plan_command(options)
    began = time.monotonic()
    proof = prove(decision.graph, scene, decision.goal) if isinstance(decision, Plan) else None
    proving_s = time.monotonic() - began
    if isinstance(decision, Plan) and shown.png is not None:
        as_picture(decision.graph).save(shown.png)
    if shown.as_json:
        told = _as_json(scene, decision, proof)
        told["seconds"] = {"planning": round(planning_s, 4), "proof": round(proving_s, 4)}
        sys.stdout.write(json.dumps(told) + "\n")
        return "order" in told
    console.print(scene_table(scene))
    match decision:
        case Plan():
            _show(decision, proof, console, shown)
        case Question(text=text, options=choices):
            console.print(Text(printable("\n  - ".join((f"? {text}", *choices)))))
        case Refusal(code=code, message=message, fix=fix):
            console.print(Text(printable(f"{code} {message}" + (f"\nfix: {fix}" if fix else ""))))
    if shown.reasons and decision.among is not None:
        console.print(set_table(decision.among))
    console.print(Text(f"planned in {planning_s:.2f} s, proved in {1000 * proving_s:.1f} ms", "dim"))
    return isinstance(proof, Proof)


def _show(plan: Plan, proof: Proof | Refutation | None, console: Console, shown: Shown) -> None:
    console.print(plan_tree(plan.graph, "plan") if plan.graph else "nothing to do: it is already so")
    if shown.reasons:
        for reason in explain(plan, plan.said):
            said = ", ".join(f"{w!r}" for w in reason.words) or "the sentence as a whole"
            console.print(Text(printable(f"  {reason.node}: from {said}; read as {reason.meaning}")))
    if shown.mermaid:
        sys.stdout.write(as_mermaid(plan.graph) + "\n")
    if isinstance(proof, Refutation):
        console.print(Text(f"cannot work: {printable(proof.reason)}"))
    else:
        console.print("proved")


def _as_json(
    scene: Scene, decision: Plan | Question | Refusal, proof: Proof | Refutation | None
) -> dict[str, object]:
    seen: dict[str, object] = {"scene": scene.model_dump(mode="json")}
    if decision.among is not None:
        seen["set"] = asdict(decision.among)
    match decision:
        case Plan(graph=graph, form=form):
            proved = {"order": list(proof.order)} if isinstance(proof, Proof) else {"refuted": _reason(proof)}
            understood = form.model_dump(mode="json", exclude_defaults=True) if form else None
            reasons = [{"node": r.node, "words": list(r.words)} for r in explain(decision, decision.said)]
            told = {"decision": "plan", **seen, "understood": understood, "reasons": reasons}
            return {**told, **graph.as_json(), **proved}
        case Question(text=text, options=options, code=code):
            asked = {"code": code, "text": text, "options": list(options)}
            return {"decision": "question", **seen, **asked}
        case Refusal(code=code, message=message, fix=fix):
            return {"decision": "refusal", **seen, "code": code, "message": message, "fix": fix}


def _reason(proof: Proof | Refutation | None) -> str:
    return proof.reason if isinstance(proof, Refutation) else ""
