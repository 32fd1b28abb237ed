"""What a mind is made of, each part by itself, so that one can be exchanged and the others kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.mind import Mind
from agent.monitoring import Monitoring
from agent.planner.protocol import Planner
from agent.sight import Perceiver
from skills.router import PolicyKind, Router
from vla_low_level.policy import Policy


@dataclass(frozen=True, slots=True)
class Modules:
    """Perception, planner and policies.

    Attributes:
        perceiver: Turns an observation into a scene.
        planner: Turns instruction and scene into a decision.
        policies: By kind. The specialist is always there: it brings the arm out of the camera's view.
        only: The one kind that skills may use; None leaves the choice to the router.
        monitoring: Watches the policies.
    """

    perceiver: Perceiver
    planner: Planner
    policies: Mapping[PolicyKind, Policy]
    only: PolicyKind | None = None
    monitoring: Monitoring = field(default_factory=Monitoring)

    def router(self) -> Router:
        """Chooses among the policies. Raises `TandemError` (`POLICY_UNAVAILABLE`)."""
        return Router(self.policies, self.only)

    def mind(self) -> Mind:
        """All of it, ready for an executive. Raises as `router` does."""
        retreat = self.policies[PolicyKind.SPECIALIST]
        return Mind(self.perceiver, self.planner, self.router(), retreat, self.monitoring)
