"""A mind with faults: the same modules, wrapped where something is to go wrong."""

from __future__ import annotations

from dataclasses import replace

from agent.modules import Modules
from api.faults.perception import FaultyPerceiver
from api.faults.policies import FaultyPolicy
from api.faults.timetable import Timetable
from sim.faults.kinds import Site


def faulty(modules: Modules, times: Timetable) -> Modules:
    """The modules, wrapped where anything will happen."""
    perceiver, policies = modules.perceiver, modules.policies
    if times.has(Site.PERCEIVER):
        perceiver = FaultyPerceiver(perceiver, times)
    if times.has(Site.POLICY):
        policies = {kind: FaultyPolicy(policy, times) for kind, policy in policies.items()}
    return replace(modules, perceiver=perceiver, policies=policies)
