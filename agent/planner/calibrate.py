"""Calibrating the asking: how unlikely a planner holds what was meant, on commands with labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from agent.planner.calibration import Calibration, sha256_of, words_sha256
from agent.planner.candidates import Meaning, Proposal, meanings
from agent.planner.cases import CALIBRATION, Case, read_cases, scene
from agent.planner.judge import Verdict, judge
from agent.planner.prediction_set import Labels
from agent.planner.protocol import Chat
from skills.scene import Scene

COMMANDS = CALIBRATION / "commands.yaml"
AMBIGUOUS = "ambiguous"


@runtime_checkable
class Proposer(Protocol):
    """A planner that says how likely it holds each reading."""

    @property
    def model(self) -> str:
        """What its calibration belongs to: sha256 of the weights, or an endpoint's model."""
        ...

    def propose(self, words: str, scene: Scene) -> tuple[Sequence[Proposal], tuple[Chat, ...]]:
        """The readings of some words. Raises `TandemError` when the model cannot be reached."""
        ...


def calibrate(
    planner: Proposer,
    alpha: float,
    file: Path = COMMANDS,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Calibration:
    """Score every command of a file.

    Raises:
        TandemError: `CALIBRATION_TOO_SMALL`, or what the planner raises.
        ValueError: On a line that is no command.
    """
    commands = list(read_cases(file))
    scores = []
    for number, case in enumerate(commands, 1):
        scores.append(1.0 - conformity(case, intent_of(case), meant_by(planner, case)))
        progress(number, len(commands))
    made = Calibration(
        model=planner.model,
        words_sha256=words_sha256(),
        commands_sha256=sha256_of(file, CALIBRATION / "scenes.yaml"),
        alpha=alpha,
        scores=tuple(round(score, 6) for score in sorted(scores)),
    )
    _ = made.threshold
    return made


def meant_by(planner: Proposer, case: Case) -> tuple[Meaning, ...]:
    """What a planner thinks may be meant by a command."""
    seen = scene(case.scene)
    proposals, _ = planner.propose(case.said, seen)
    return meanings(proposals, seen, ())


def intent_of(case: Case) -> Case:
    """The command with one thing that is meant by it: of several, one by chance, keyed by the words."""
    if case.family != AMBIGUOUS or len(case.ends) < 2:
        return case
    key = sum(ord(c) * (k + 1) for k, c in enumerate(f"{case.scene} {case.said}"))
    chosen = int(np.random.default_rng([6, key]).integers(len(case.ends)))
    return Case(case.family, case.scene, case.said, case.correction, frozenset(), (case.ends[chosen],))


def conformity(case: Case, intent: Case, meant: Iterable[Meaning]) -> float:
    """The largest threshold at which the prediction set still holds what is meant, 0..1.

    `other` stands for everything that has no words, so what is meant is never less likely than it. Where it
    is left open what is meant, the set is right when it is asked about: `other`, or two plans.
    """
    meant = tuple(meant)
    labels = Labels.of(meant)
    seen = scene(case.scene)
    best = labels.other
    if intent.silent & {"refuse", "still"}:
        best = max(best, labels.refuse)
    if intent.silent & {"ask"} and len(labels.plans) > 1:
        best = max(best, labels.plans[1].probability)
    right = (m for m in labels.plans if judge(intent, seen, m.decision).verdict is Verdict.RIGHT)
    return max([best, *(m.probability for m in right)])
