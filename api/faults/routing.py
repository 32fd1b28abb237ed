"""A router that tells the wrong skill."""

from __future__ import annotations

from collections.abc import Mapping

from api.faults.timetable import Timetable
from sim.faults.kinds import Site
from skills.library import Pick, Push, Skill
from skills.router import PolicyKind, Route, Router
from skills.scene import Scene
from vla_low_level.nouns import Side
from vla_low_level.policy import Policy


class FaultyRouter(Router):
    """A router around a router."""

    def __init__(self, router: Router, policies: Mapping[PolicyKind, Policy], times: Timetable) -> None:
        self._router, self._policies, self._times = router, policies, times

    def route(self, skill: Skill, scene: Scene, attempt: int = 1) -> Route:
        """The policy for this attempt, wrongly perhaps. Raises as the router does."""
        route = self._router.route(skill, scene, attempt)
        generalist = self._policies.get(PolicyKind.GENERALIST)
        for fault in self._times.due(Site.ROUTER):
            subgoal = _other(skill, scene)
            if generalist is None or subgoal is None:
                continue
            self._times.acts(fault)
            route = Route(generalist, PolicyKind.GENERALIST, route.reason, subgoal)
        return route


def _other(skill: Skill, scene: Scene) -> str | None:
    """The words of another skill; None where there is none to say."""
    lying = [o.id for o in scene.objects if o.id != scene.held]
    try:
        if isinstance(skill, Pick):
            return Push(object=skill.object, side=Side.LEFT).subgoal(scene)
        return Pick(object=lying[0]).subgoal(scene) if lying else None
    except LookupError:
        return None
