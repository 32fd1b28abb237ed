"""A mind with faults: the same modules, wrapped where something is to go wrong."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from agent.modules import Modules
from agent.monitoring import Monitoring
from api.faults.perception import FaultyPerceiver
from api.faults.planning import FaultyPlanner
from api.faults.policies import faulty_policy
from api.faults.routing import FaultyRouter
from api.faults.timetable import Timetable
from sim.faults.kinds import Site
from skills.router import Router


@dataclass(frozen=True)
class FaultyModules(Modules):
    """Modules whose router may go wrong as well.

    Attributes:
        times: When.
    """

    times: Timetable | None = None

    def router(self) -> Router:
        """Chooses among the policies, wrongly perhaps. Raises as `Modules.router`."""
        right = Modules.router(self)
        if self.times is None or not self.times.has(Site.ROUTER):
            return right
        return FaultyRouter(right, self.policies, self.times)


def faulty(modules: Modules, times: Timetable) -> Modules:
    """The modules, wrapped where anything will happen.

    All of them share the timetable, whose clock stands at the observation that perceiver or policy saw last.
    """
    perceiver = FaultyPerceiver(modules.perceiver, times)
    planner = FaultyPlanner(modules.planner, times) if times.has(Site.PLANNER) else modules.planner
    policies = modules.policies
    if times.has(Site.POLICY):
        policies = {kind: faulty_policy(policy, times) for kind, policy in policies.items()}
    monitoring = _miscalibrated(modules.monitoring, times) if times.has(Site.MONITOR) else modules.monitoring
    kept = {item.name: getattr(modules, item.name) for item in fields(modules)}
    return FaultyModules(
        **{
            **kept,
            "perceiver": perceiver,
            "planner": planner,
            "policies": policies,
            "monitoring": monitoring,
            "times": times,
        }
    )


def _miscalibrated(monitoring: Monitoring, times: Timetable) -> Monitoring:
    """The monitor with the thresholds of somebody else; it reads them once, so the onset does not matter."""
    calibrations = dict(monitoring.calibrations)
    for fault in times.of(Site.MONITOR):
        for kind, calibration in calibrations.items():
            scores = tuple(score * fault.magnitude for score in calibration.card.scores)
            card = calibration.card.model_copy(update={"scores": scores})
            calibrations[kind] = replace(calibration, card=card)
            times.stands(fault)
    return replace(monitoring, calibrations=calibrations)
