"""The contract of System 2's planner: words and a scene in; a plan, a question or a refusal out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from agent.planner.logical_form import LogicalForm
from skills.graph import SkillGraph
from skills.predicates import Predicate
from skills.scene import Scene
from traces.errors import TandemError


@dataclass(frozen=True, slots=True)
class Chat:
    """One exchange with a language model, for the trace.

    Attributes:
        provider: Who serves the model: `embedded` or `openai`.
        model: Its name.
        prompt: What was sent, as text.
        reply: What came back, as received.
        finish_reason: Why generation ended; `REJECTED` for a reply that was not taken.
        latency_s: How long it took.
        log_probability: Of the reply as a whole; None where it is not known.
    """

    provider: str
    model: str
    prompt: str
    reply: str
    finish_reason: str
    latency_s: float
    log_probability: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that may have been meant, for the trace and for a person.

    Attributes:
        words: What would be done, or said, in plain words.
        kind: `plan`, `refusal`, or `other`: anything else, for which there are no words.
        probability: What the planner's model gives the readings that allow it.
        likely: It is in the prediction set.
        why: Why it cannot be done, or should not be believed; empty when nothing speaks against it.
    """

    words: str
    kind: str
    probability: float
    likely: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class PredictionSet:
    """What may have been meant, and what decided which of it is likely enough.

    Attributes:
        candidates: The likeliest first.
        threshold: Least probability of what is likely.
        basis: What the threshold rests on: a calibration, or why there is none.
        calibrated: Whether the guarantee of the calibration holds.
    """

    candidates: tuple[Candidate, ...]
    threshold: float
    basis: str
    calibrated: bool


REJECTED = "rejected"
"""Finish reason of an exchange whose reply was not taken."""


class PlanningError(TandemError):
    """The planner itself failed; with the exchanges that it came to, for the trace.

    Attributes:
        chats: Every exchange, those with a rejected reply too.
    """

    def __init__(self, error: TandemError, chats: tuple[Chat, ...]) -> None:
        self.chats = chats
        super().__init__(error.code, error.message, fix=error.fix)


Task = tuple[tuple[Predicate, ...], ...]
"""For each step of a logical form, what must be true once it is done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan, grounded but not yet proved.

    Attributes:
        graph: What to do; empty when everything is so already.
        goal: What must hold afterwards.
        form: What was understood; None when the planner has to be asked again about a later scene.
        task: What each step of the form came to on this scene.
        said: For each step of the form, the words that it was read from; empty where that is not known.
        log_probability: Mean over the tokens that were chosen freely; 0 where the model does not say.
        chats: Exchanges that led to it.
        among: What else may have been meant; None where the planner does not say.
    """

    graph: SkillGraph
    goal: tuple[Predicate, ...]
    form: LogicalForm | None = None
    task: Task = ()
    said: tuple[tuple[str, ...], ...] = ()
    log_probability: float = 0.0
    chats: tuple[Chat, ...] = ()
    among: PredictionSet | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """The planner is unsure.

    Attributes:
        text: What it wants to know.
        options: Answers to choose from; empty for free text.
        code: Stable reason: `AMBIGUOUS`, `NO_PLACE` or `NOT_UNDERSTOOD`.
        objects: Ids that the options stand for, in their order; of several, with spaces between.
        forms: The logical forms that the options stand for, as text, in their order; empty for none.
        chats: Exchanges that led to it.
        among: What may have been meant; None where the planner does not say.
    """

    text: str
    options: tuple[str, ...]
    code: str
    objects: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    chats: tuple[Chat, ...] = ()
    among: PredictionSet | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """It cannot or must not be done. Fields as in `TandemError`."""

    code: str
    message: str
    fix: str = ""
    chats: tuple[Chat, ...] = ()
    among: PredictionSet | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Something did not work: a node, or a proof. `object` is empty when it is not about one."""

    node: str
    object: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's answer to a question."""

    question: Question
    answer: str


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says, unasked, while the instruction is being carried out."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """A step that has been carried out; `effect` is the predicate that it made true, as text."""

    node: str
    effect: str


History = Failure | Answer | Correction | Done


@runtime_checkable
class Watching(Protocol):
    """A planner that looks at camera frames itself."""

    def see(self, frame: NDArray[np.uint8]) -> None:
        """The latest frame of the overhead camera, uint8 [height, width, 3], RGB."""
        ...


class Planner(Protocol):
    """Anything that can plan. Stateless: what happened before comes with the call."""

    @property
    def planner_id(self) -> str:
        """Backend and model, as it stands in traces."""
        ...

    def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
        """Plan from here on.

        Raises:
            TandemError: When the planner itself fails (`LLM_UNAVAILABLE`, `LLM_TIMEOUT`, ...); a
                `PlanningError` where there are exchanges to be recorded.
        """
        ...
