"""Generalist or specialist: which policy runs a skill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from skills.library import Pick, Put, Skill
from skills.scene import Scene
from traces.errors import TandemError
from vla_low_level.policy import Policy

SPECIALIST_SKILLS = (Pick, Put)
# From this attempt on, a skill that the generalist has failed at goes to the specialist, if it can do that.
SECOND_OPINION = 3


class PolicyKind(StrEnum):
    """The two kinds of System 1."""

    SPECIALIST = "specialist"
    GENERALIST = "generalist"


@dataclass(frozen=True, slots=True)
class Route:
    """The policy that was chosen, and why, for the trace.

    Attributes:
        policy: Who acts.
        kind: Which of the two it is.
        reason: In a few words.
        subgoal: What it is told.
    """

    policy: Policy
    kind: PolicyKind
    reason: str
    subgoal: str


class Router:
    """Chooses among the policies that are there."""

    def __init__(self, policies: Mapping[PolicyKind, Policy], only: PolicyKind | None = None) -> None:
        """Route to `only` when it is given.

        Raises:
            TandemError: `POLICY_UNAVAILABLE` when `only`, or everything, is missing.
        """
        if only is not None and only not in policies:
            raise TandemError(
                "POLICY_UNAVAILABLE",
                f"no {only.value} policy is installed",
                fix=f"use --policy auto or --policy {next(iter(policies), PolicyKind.SPECIALIST).value}",
            )
        if not policies:
            raise TandemError("POLICY_UNAVAILABLE", "no policy is installed at all")
        self._policies = policies if only is None else {only: policies[only]}

    def route(self, skill: Skill, scene: Scene, attempt: int = 1) -> Route:
        """The policy for this attempt at a skill: the generalist first, the specialist for a second opinion.

        Raises:
            TandemError: `POLICY_UNAVAILABLE` when none that may be used can do it.
        """
        able = {k: p for k, p in self._policies.items() if _can(k, skill)}
        if not able:
            raise TandemError(
                "POLICY_UNAVAILABLE",
                f"the {next(iter(self._policies)).value} cannot {skill.name.replace('_', ' ')}",
                fix="use --policy auto",
            )
        subgoal, told_apart = _subgoal(skill, scene)
        kind, why = next(iter(able)), "it is the only one"
        if len(able) > 1:
            kind, why = PolicyKind.GENERALIST, "it goes first"
            if not told_apart:
                kind, why = PolicyKind.SPECIALIST, "words cannot tell the object from its twins"
            elif attempt >= SECOND_OPINION:
                kind, why = PolicyKind.SPECIALIST, "the generalist has failed twice"
        return Route(able[kind], kind, why, subgoal)


def _subgoal(skill: Skill, scene: Scene) -> tuple[str, bool]:
    """What to say, and whether it tells the object from its twins."""
    try:
        return skill.subgoal(scene), True
    except LookupError:
        return f"{skill.name.replace('_', ' ')} {skill.subject}", False


def _can(kind: PolicyKind, skill: Skill) -> bool:
    return kind is PolicyKind.GENERALIST or isinstance(skill, SPECIALIST_SKILLS)
