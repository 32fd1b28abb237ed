"""Generalist or specialist: which policy runs a skill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from skills.library import Skill
from traces.errors import TandemError
from vla_low_level.policy import Policy


class PolicyKind(StrEnum):
    """The two kinds of System 1."""

    SPECIALIST = "specialist"
    GENERALIST = "generalist"


@dataclass(frozen=True, slots=True)
class Route:
    """The policy that was chosen, and why, for the trace."""

    policy: Policy
    kind: PolicyKind
    reason: str


class Router:
    """Chooses among the policies that are there."""

    def __init__(self, policies: Mapping[PolicyKind, Policy], only: PolicyKind | None = None) -> None:
        """Route to `only` when it is given, else to the generalist where there is one.

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
        self._policies = policies
        self._only = only

    def route(self, skill: Skill) -> Route:
        """The policy for this skill."""
        if self._only is not None:
            return Route(self._policies[self._only], self._only, f"{self._only.value} was asked for")
        for kind in (PolicyKind.GENERALIST, PolicyKind.SPECIALIST):
            if kind in self._policies:
                return Route(
                    self._policies[kind], kind, f"{kind.value} is the best installed for {skill.name}"
                )
        raise TandemError("POLICY_UNAVAILABLE", f"no policy for {skill.name}")
