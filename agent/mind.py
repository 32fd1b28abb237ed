"""What decides."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.memory import Memory
from agent.monitoring import Monitoring
from agent.planner.protocol import Planner
from agent.sight import Perceiver
from skills.router import Router
from vla_low_level.policies.specialist import SpecialistPolicy
from vla_low_level.policy import Policy


@dataclass(frozen=True, slots=True)
class Mind:
    """What decides.

    Attributes:
        perceiver: Turns an observation into a scene.
        planner: Turns instruction and scene into a plan, a question or a refusal.
        router: Chooses the policy of each skill.
        retreat: Brings the arm out of the camera's view; a specialist.
        monitoring: Watches the policies.
        memory: What is known of the world from commands before.
    """

    perceiver: Perceiver
    planner: Planner
    router: Router
    retreat: Policy = field(default_factory=SpecialistPolicy)
    monitoring: Monitoring = field(default_factory=Monitoring)
    memory: Memory = field(default_factory=Memory)
