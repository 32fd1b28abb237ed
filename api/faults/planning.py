"""Faults of the planner: plans with a step too few, too many, in another order, about another thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from pydantic import ValidationError

from agent.planner.protocol import Answer, History, Plan, Planner, Question, Refusal
from api.faults.timetable import Timetable
from sim.faults.kinds import Site
from sim.faults.spec import Fault
from skills.graph import SkillGraph, SkillNode
from skills.library import Put
from skills.predicates import Predicate
from skills.scene import Scene
from vla_low_level.nouns import Place

Decision = Plan | Question | Refusal
Wrong = Callable[[Plan, Scene, np.random.Generator], Plan]
"""A plan, the scene that it is for, and the fault's random numbers in; another plan out."""

GUESSES = 3


class FaultyPlanner:
    """A planner around a planner. Implements `Planner` and keeps the name."""

    def __init__(self, planner: Planner, times: Timetable) -> None:
        self._planner, self._times = planner, times
        self.planner_id = planner.planner_id

    def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Decision:
        """Plan, wrongly perhaps. Raises as the planner does."""
        decision = self._planner.plan(instruction, scene, history)
        for fault in self._times.due(Site.PLANNER):
            rng = fault.stream(self._times.seed)
            if fault.name == "guess":
                decision = self._guess(decision, fault, (instruction, scene, history), rng)
            elif isinstance(decision, Plan) and decision.graph:
                wrong = WRONG[fault.name](decision, scene, rng)
                if wrong != decision:
                    self._times.acts(fault)
                decision = wrong
        return decision

    def _guess(
        self,
        decision: Decision,
        fault: Fault,
        asked: tuple[str, Scene, Sequence[History]],
        rng: np.random.Generator,
    ) -> Decision:
        """Answer its own questions, where they offer a choice."""
        instruction, scene, history = asked
        for _ in range(GUESSES):
            if not isinstance(decision, Question) or not decision.options:
                break
            self._times.acts(fault)
            choice = decision.options[int(rng.integers(len(decision.options)))]
            history = (*history, Answer(decision, choice))
            decision = self._planner.plan(instruction, scene, history)
        return decision


def _omitted(plan: Plan, _scene: Scene, rng: np.random.Generator) -> Plan:
    """Without one of its objects."""
    subject = _drawn(plan, rng)
    nodes = tuple(node for node in plan.graph.nodes if node.skill.subject != subject)
    kept = {node.id for node in nodes}
    edges = tuple(edge for edge in plan.graph.edges if kept.issuperset(edge))
    goal = tuple(term for term in plan.goal if subject not in _objects(term))
    return _believed(plan, nodes, edges, goal)


def _permuted(plan: Plan, _scene: Scene, _rng: np.random.Generator) -> Plan:
    """What comes later first."""
    edges = tuple((b, a) for a, b in plan.graph.edges)
    return _believed(plan, plan.graph.nodes[::-1], edges, plan.goal)


def _repeated(plan: Plan, _scene: Scene, rng: np.random.Generator) -> Plan:
    """Everything that is done to one object, and then once more."""
    subject = _drawn(plan, rng)
    first = [node for node in plan.graph.nodes if node.skill.subject == subject]
    new = {node.id: f"{node.id[:58]}_again" for node in first}
    again = tuple(SkillNode(id=new[node.id], skill=node.skill) for node in first)
    edges = tuple((new[a], new[b]) for a, b in plan.graph.edges if a in new and b in new)
    seam = ((first[-1].id, again[0].id),)
    return _believed(plan, (*plan.graph.nodes, *again), (*plan.graph.edges, *seam, *edges), plan.goal)


def _wrong_target(plan: Plan, scene: Scene, rng: np.random.Generator) -> Plan:
    """One object, taken for another; for one that the plan does not touch, if there is one."""
    subject = _drawn(plan, rng)
    touched = {node.skill.subject for node in plan.graph.nodes}
    others = [o.id for o in scene.objects if o.id not in touched] or [
        o.id for o in scene.objects if o.id != subject
    ]
    if not subject or not others:
        return plan
    other = others[int(rng.integers(len(others)))]
    nodes = tuple(
        node
        if node.skill.subject != subject
        else SkillNode(id=node.id, skill=node.skill.model_copy(update={"object": other}))
        for node in plan.graph.nodes
    )
    goal = tuple(_about(term, subject, other) for term in plan.goal)
    return _believed(plan, nodes, plan.graph.edges, goal)


def _wrong_place(plan: Plan, scene: Scene, rng: np.random.Generator) -> Plan:
    """One object, put somewhere else."""
    puts = [node for node in plan.graph.nodes if isinstance(node.skill, Put)]
    if not puts:
        return plan
    chosen = puts[int(rng.integers(len(puts)))]
    places = [
        p.place for p in scene.places if isinstance(chosen.skill, Put) and p.place != chosen.skill.place
    ]
    if not places:
        return plan
    place = places[int(rng.integers(len(places)))]
    wrong = SkillNode(id=chosen.id, skill=chosen.skill.model_copy(update={"place": place}))
    nodes = tuple(wrong if node is chosen else node for node in plan.graph.nodes)
    goal = tuple(_put(term, chosen.skill.subject, place) for term in plan.goal)
    return _believed(plan, nodes, plan.graph.edges, goal)


def _drawn(plan: Plan, rng: np.random.Generator) -> str:
    """An object that the plan is about; empty where it is about none."""
    subjects = sorted({node.skill.subject for node in plan.graph.nodes} - {""})
    return subjects[int(rng.integers(len(subjects)))] if subjects else ""


def _objects(term: Predicate) -> set[object]:
    return {getattr(term, item.name) for item in fields(term)}


def _about(term: Predicate, old: str, new: str) -> Predicate:
    """The same of another object."""
    changed = {item.name: new for item in fields(term) if getattr(term, item.name) == old}
    again: Predicate = replace(cast(Any, term), **changed)
    return again


def _put(term: Predicate, subject: str, place: Place) -> Predicate:
    """The same of another place, if it says where the object is to be."""
    there = subject in _objects(term) and isinstance(getattr(term, "place", None), Place)
    put: Predicate = replace(cast(Any, term), place=place) if there else term
    return put


def _believed(
    plan: Plan,
    nodes: tuple[SkillNode, ...],
    edges: tuple[tuple[str, str], ...],
    goal: tuple[Predicate, ...],
) -> Plan:
    """The plan that the agent gets; nobody remembers what was meant, so that it is not found out that way."""
    try:
        graph = SkillGraph(nodes=nodes, edges=edges)
    except ValidationError:
        return plan
    return replace(plan, graph=graph, goal=goal, form=None, task=(), said=())


WRONG: MappingProxyType[str, Wrong] = MappingProxyType(
    {
        "omitted_step": _omitted,
        "permuted_steps": _permuted,
        "repeated_step": _repeated,
        "wrong_target": _wrong_target,
        "wrong_place": _wrong_place,
    }
)
