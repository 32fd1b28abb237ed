"""The proof that a plan works: preconditions and effects, run symbolically on the perceived scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skills.graph import SkillGraph, SkillNode
from skills.predicates import Predicate, State, Truth, apply, first_unmet
from skills.scene import Scene

MAX_EXPANSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Proof:
    """The plan works: doing `order` one by one meets every precondition and ends with the goal true."""

    order: tuple[str, ...]
    end: State


@dataclass(frozen=True, slots=True)
class Refutation:
    """The plan cannot work.

    Attributes:
        node: Id of the node that cannot be done; empty when every node can but the goal is missed.
        predicate: The condition that is not met.
        truth: What it is instead of TRUE.
        reason: The same in one sentence.
    """

    node: str
    predicate: str
    truth: Truth
    reason: str


def prove(graph: SkillGraph, scene: Scene, goal: Sequence[Predicate] = ()) -> Proof | Refutation:
    """Find an order in which one arm can do the whole graph, or say what stands in the way.

    Depth-first over the orders that the edges allow, so parallel branches that need the one hand are
    interleaved rightly. Cost is linear for the plans that grounding makes; a pathological graph is cut
    off at `MAX_EXPANSIONS` and refuted.
    """
    search = _Search(graph)
    order = search.run(State.of(scene), ())
    if order is None:
        return search.refutation()
    state = State.of(scene)
    for node_id in order:
        state = apply(graph.node(node_id).skill.effects(), state)
    if unmet := first_unmet(goal, state):
        predicate, truth = unmet
        return Refutation("", str(predicate), truth, f"after every step, {predicate} is {truth.value}")
    return Proof(order, state)


class _Search:
    """Depth-first search that remembers its deepest dead end."""

    def __init__(self, graph: SkillGraph) -> None:
        self._graph = graph
        self._expansions = 0
        self._deepest = -1
        self._blocked: tuple[SkillNode, Predicate, Truth] | None = None

    def run(self, state: State, order: tuple[str, ...]) -> tuple[str, ...] | None:
        """The rest of an order that works from here, or None."""
        if len(order) == len(self._graph.nodes):
            return order
        self._expansions += 1
        if self._expansions > MAX_EXPANSIONS:
            return None
        for node in self._graph.ready(frozenset(order)):
            if unmet := first_unmet(node.skill.preconditions(), state):
                self._note(len(order), node, *unmet)
                continue
            found = self.run(apply(node.skill.effects(), state), (*order, node.id))
            if found is not None:
                return found
        return None

    def _note(self, depth: int, node: SkillNode, predicate: Predicate, truth: Truth) -> None:
        if depth > self._deepest:
            self._deepest, self._blocked = depth, (node, predicate, truth)

    def refutation(self) -> Refutation:
        """Why no order works, from the dead end that came furthest."""
        if self._blocked is None:
            return Refutation("", "", Truth.UNKNOWN, "the plan is too tangled to prove")
        node, predicate, truth = self._blocked
        return Refutation(
            node.id, str(predicate), truth, f"step {node.id} needs {predicate}, which is {truth.value}"
        )
