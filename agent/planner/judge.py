"""Was the planner right? Its plan is run symbolically; where things end up is compared with the wish."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import networkx as nx

from agent.planner.cases import Case, Fact
from agent.planner.protocol import Plan, Question, Refusal
from skills.graph import SkillGraph, SkillNode
from skills.library import CloseDrawer, OpenDrawer, Press
from skills.predicates import State, apply, first_unmet
from skills.scene import Scene
from skills.verify import Proof, prove

Status = dict[str, str]


class Verdict(StrEnum):
    """How a decision is judged.

    RIGHT: as wanted. ASKED, REFUSED, IDLE: nothing would move, and something else was wanted.
    PARTLY: moves only what is wanted, but not all of it. WRONG: something goes where it should not.
    UNPROVED: the plan fails its proof, so nothing would move.
    """

    RIGHT = "right"
    ASKED = "asked"
    REFUSED = "refused"
    IDLE = "idle"
    PARTLY = "partly"
    WRONG = "wrong"
    UNPROVED = "unproved"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, with what led to it.

    Attributes:
        verdict: How it is judged.
        detail: The decision in a few words.
        violated: A precondition that the accepted plan violates; empty for none.
    """

    verdict: Verdict
    detail: str
    violated: str = ""


def judge(case: Case, scene: Scene, decision: Plan | Question | Refusal) -> Judgement:
    """Judge one decision."""
    match decision:
        case Question(text=text):
            right = case.silent & {"ask", "still"}
            return Judgement(Verdict.RIGHT if right else Verdict.ASKED, f"asks: {text}")
        case Refusal(code=code, message=message):
            right = case.silent & {"refuse", "still"}
            return Judgement(Verdict.RIGHT if right else Verdict.REFUSED, f"{code}: {message}")
    if not decision.graph:
        idle = bool(case.silent & {"nothing", "still"}) or any(_ends(w, scene, scene) for w in case.ends)
        return Judgement(Verdict.RIGHT if idle else Verdict.IDLE, "nothing to do")
    proof = prove(decision.graph, scene, decision.goal)
    if not isinstance(proof, Proof):
        return Judgement(Verdict.UNPROVED, proof.reason)
    detail = " ".join(proof.order)
    violated = _violated(decision.graph, proof.order, scene)
    if any(_ends(way, scene, proof.end) and _ordered(way, decision.graph) for way in case.ends):
        return Judgement(Verdict.RIGHT, detail, violated)
    before, after = _status(State.of(scene)), _status(proof.end)
    changed = {who: what for who, what in after.items() if before[who] != what}
    wanted = [fact for way in case.ends for fact in way]
    stray = any(not any(_allows(f, who, what) for f in wanted) for who, what in changed.items())
    return Judgement(Verdict.WRONG if stray else Verdict.PARTLY, detail, violated)


def _violated(graph: SkillGraph, order: Iterable[str], scene: Scene) -> str:
    """The first precondition that does not hold when the plan is walked through by itself."""
    state = State.of(scene)
    for name in order:
        skill = graph.node(name).skill
        if unmet := first_unmet(skill.preconditions(), state):
            return f"{name}: {unmet[0]}"
        state = apply(skill.effects(), state)
    return ""


def _status(state: State) -> Status:
    """Where everything is, in the words of facts. An object's side counts only on the table."""
    status = {"drawer": str(state.drawer), "lamp": str(state.lamp)}
    for name, place in state.location.items():
        base = state.on.get(name)
        status[name] = f"on {base}" if base else place.value if place else f"at {state.side.get(name)}"
    if state.held:
        status[state.held] = "held"
    return status


def _ends(way: tuple[Fact, ...], start: Scene, end: Scene | State) -> bool:
    """Does everything hold, and is all else as before?"""
    before = _status(State.of(start))
    after = _status(end if isinstance(end, State) else State.of(end))
    named = {who for fact in way if fact.how != "before" for who in fact.who}
    unchanged = all(after[who] == before[who] for who in before.keys() - named)
    return unchanged and all(_holds(fact, before, after) for fact in way)


def _holds(fact: Fact, before: Status, after: Status) -> bool:
    now = [after[who] for who in fact.who] if fact.how != "before" else []
    match fact.how:
        case "before":
            return True
        case "is":
            return now == [fact.what]
        case "tower of":
            feet = [who for who in fact.who if after[who] not in {f"on {other}" for other in fact.who}]
            return len(set(now)) == len(now) and len(feet) == 1 and after[feet[0]] == before[feet[0]]
        case "colour groups" | "kind groups":
            key = 0 if fact.how == "colour groups" else 1
            where: dict[str, set[str]] = {}
            for who in fact.who:
                where.setdefault(who.split("_")[key], set()).add(after[who])
            places = [place for group in where.values() for place in group]
            alone = all(len(group) == 1 for group in where.values()) and len(set(places)) == len(where)
            return alone and not any(place.startswith(("at", "on", "held")) for place in places)
    count = int(fact.how.split()[0])
    rest = [who for who in fact.who if after[who] != fact.what]
    return len(fact.who) - len(rest) == count and all(after[who] == before[who] for who in rest)


def _allows(fact: Fact, who: str, what: str) -> bool:
    """Is it among what this fact wants, that `who` becomes `what`?"""
    if who not in fact.who:
        return False
    match fact.how:
        case "before":
            return False
        case "tower of":
            return what.startswith("on ")
        case "colour groups" | "kind groups":
            return not what.startswith(("on ", "at ", "held"))
    return what == fact.what


def _ordered(way: tuple[Fact, ...], graph: SkillGraph) -> bool:
    """Does the graph itself, not only the order of its proof, keep every wanted order?"""
    for fact in way:
        if fact.how == "before":
            first, second = (next((n.id for n in graph.nodes if _about(n) == who), "") for who in fact.who)
            if first and second and not nx.has_path(graph.digraph, first, second):
                return False
    return True


def _about(node: SkillNode) -> str:
    match node.skill:
        case OpenDrawer() | CloseDrawer():
            return "drawer"
        case Press():
            return "lamp"
    return node.skill.subject
