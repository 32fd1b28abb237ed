"""Faults of a policy: of its weights, of what it is given, of what it says."""

from __future__ import annotations

import copy
from types import MappingProxyType

import torch

from api.faults.timetable import Timetable
from sim.faults.kinds import Site
from sim.faults.spec import Fault
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, Policy, PolicyOutput
from vla_low_level.vla.network import VLANetwork
from vla_low_level.vla.policy import VLAPolicy


class Trouble:
    """What a fault does to one policy; hooks that are not overridden pass things on."""

    def __init__(self, fault: Fault, times: Timetable) -> None:
        self.fault, self.times = fault, times

    def touches(self, policy: Policy) -> bool:  # noqa: ARG002
        """Whether the policy has what the fault is about."""
        return True

    def weights(self, network: VLANetwork) -> VLANetwork:
        """The weights that it decides with."""
        return network

    def given(self, observation: Observation) -> Observation:
        """The observation that it decides on."""
        return observation

    def said(self, output: PolicyOutput, observation: Observation) -> PolicyOutput:  # noqa: ARG002
        """What it is taken to have said."""
        return output


class FaultyPolicy:
    """A policy around a policy. Implements `Policy` and keeps the name."""

    def __init__(self, policy: Policy, times: Timetable) -> None:
        self._policy, self._times = policy, times
        self._network = policy.network if isinstance(policy, VLAPolicy) else None
        self._troubles: dict[Fault, Trouble] = {}
        self.policy_id, self.cameras = policy.policy_id, policy.cameras
        self.replan_rows = policy.replan_rows

    def reset(self) -> None:
        """A new subgoal begins."""
        self._policy.reset()

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        """Choose the next chunk, wrongly perhaps. Raises as the policy does."""
        self._times.observe(observation.time_s)
        troubles = self._at_work()
        network, given = self._network, observation
        for trouble in troubles:
            given = trouble.given(given)
            network = network and trouble.weights(network)
        if isinstance(self._policy, VLAPolicy) and network is not None:
            self._policy.network = network
        output = self._policy.act(given, instruction)
        for trouble in troubles:
            output = trouble.said(output, observation)
        return output

    def _at_work(self) -> list[Trouble]:
        found = []
        for fault in self._times.due(Site.POLICY):
            trouble = self._troubles.setdefault(fault, TROUBLES[fault.name](fault, self._times))
            if trouble.touches(self._policy):
                self._times.acts(fault)
                found.append(trouble)
        return found


class NoisyWeights(Trouble):
    """Damaged weights. A policy without weights is spared."""

    _spoilt: VLANetwork | None = None

    def touches(self, policy: Policy) -> bool:
        """Only the generalist has weights."""
        return isinstance(policy, VLAPolicy)

    def weights(self, network: VLANetwork) -> VLANetwork:
        """A noisy copy, made once."""
        if self._spoilt is None:
            self._spoilt = copy.deepcopy(network)
            rng = self.times.stream(self.fault)
            with torch.no_grad():
                for tensor in self._spoilt.parameters():
                    noise = torch.from_numpy(rng.standard_normal(tuple(tensor.shape), dtype="float32"))
                    spread = float(tensor.std()) if tensor.numel() > 1 else 0.0
                    tensor.add_(noise, alpha=self.fault.magnitude * spread)
        return self._spoilt


TROUBLES: MappingProxyType[str, type[Trouble]] = MappingProxyType({"policy_noise": NoisyWeights})
