"""Faults of a policy: of its weights, of what it is given, of what it says."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from api.faults.timetable import Timetable
from sim.faults.kinds import Site
from sim.faults.spec import Fault
from vla_low_level.observation import Observation
from vla_low_level.policy import Doubting, Instruction, Policy, PolicyOutput
from vla_low_level.rotations import rotation_matrix
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
        self._decided_with = self._network
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
        self._decided_with = network
        with self._deciding():
            output = self._policy.act(given, instruction)
        for trouble in troubles:
            output = trouble.said(output, observation)
        return output

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        """The weights of the last decision in place; others may use the policy, which gets its own back."""
        policy = self._policy
        if not isinstance(policy, VLAPolicy) or self._network is None or self._decided_with is None:
            yield
            return
        policy.network = self._decided_with
        try:
            yield
        finally:
            policy.network = self._network

    def _at_work(self) -> list[Trouble]:
        found = []
        for fault in self._times.due(Site.POLICY):
            trouble = self._troubles.setdefault(fault, TROUBLES[fault.name](fault, self._times))
            if trouble.touches(self._policy):
                self._times.acts(fault)
                found.append(trouble)
        return found


class FaultyDoubter(FaultyPolicy):
    """The same around a policy that can be asked how sure it is. Implements `Doubting`."""

    def __init__(self, policy: Policy, doubting: Doubting, times: Timetable) -> None:
        super().__init__(policy, times)
        self._doubting = doubting

    def spread(self, embedding: NDArray[np.float32], draws: int) -> NDArray[np.float32]:
        """How sure it is, by the weights that it decided with."""
        with self._deciding():
            return self._doubting.spread(embedding, draws)


def faulty_policy(policy: Policy, times: Timetable) -> FaultyPolicy:
    """A policy around a policy that can do what that one can."""
    if isinstance(policy, Doubting):
        return FaultyDoubter(policy, policy, times)
    return FaultyPolicy(policy, times)


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
            rng = self.fault.stream(self.times.seed)
            with torch.no_grad():
                for tensor in self._spoilt.parameters():
                    noise = torch.from_numpy(rng.standard_normal(tuple(tensor.shape), dtype="float32"))
                    spread = float(tensor.std()) if tensor.numel() > 1 else 0.0
                    tensor.add_(noise, alpha=self.fault.magnitude * spread)
        return self._spoilt


class WrongStatistics(Trouble):
    """Actions in the units of other data."""

    def said(self, output: PolicyOutput, observation: Observation) -> PolicyOutput:  # noqa: ARG002
        """Each column by a factor of its own; the fingers' column is absolute."""
        spread = self.fault.stream(self.times.seed).normal(0.0, self.fault.magnitude, 6)
        rows = output.chunk.actions.copy()
        rows[:, :6] *= np.exp(spread).astype(np.float32)
        return _with(output, rows)


class ModeFlip(Trouble):
    """A policy that cannot decide on which side to go."""

    def said(self, output: PolicyOutput, observation: Observation) -> PolicyOutput:
        """To one side after even observations, to the other after odd ones."""
        angle = self.fault.magnitude * (-1.0) ** observation.sequence
        turn = rotation_matrix(np.array([0.0, 0.0, angle])).astype(np.float32)
        rows = output.chunk.actions.copy()
        rows[:, :3] = rows[:, :3] @ turn.T
        return _with(output, rows)


class Loop(Trouble):
    """A latent that is frozen."""

    _first: Observation | None = None

    def given(self, observation: Observation) -> Observation:
        """The first instant again, with the present time."""
        self._first = self._first or observation
        return replace(self._first, time_s=observation.time_s, sequence=observation.sequence)


class Stall(Trouble):
    """A policy that has stopped."""

    def said(self, output: PolicyOutput, observation: Observation) -> PolicyOutput:
        """No motion, fingers as they were told last."""
        rows = np.zeros_like(output.chunk.actions)
        rows[:, 6] = observation.proprioception.last_command[6]
        return _with(output, rows)


def _with(output: PolicyOutput, rows: NDArray[np.float32]) -> PolicyOutput:
    return replace(output, chunk=replace(output.chunk, actions=rows))


TROUBLES: MappingProxyType[str, type[Trouble]] = MappingProxyType(
    {
        "policy_noise": NoisyWeights,
        "wrong_statistics": WrongStatistics,
        "mode_flip": ModeFlip,
        "loop": Loop,
        "stall": Stall,
    }
)
