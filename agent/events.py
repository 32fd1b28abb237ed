"""What the executive tells whoever watches: a terminal today, a web page tomorrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent.outcome import CommandResult
from skills.graph import SkillGraph, SkillNode
from skills.scene import Scene


@dataclass(frozen=True, slots=True)
class SceneSeen:
    """The scene was perceived."""

    scene: Scene


@dataclass(frozen=True, slots=True)
class PlanMade:
    """A plan was made and proved. `version` counts from 0; `reason` says why a later one was needed."""

    graph: SkillGraph
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """A node begins. `attempt` counts from 1."""

    node: SkillNode
    attempt: int
    subgoal: str


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """A chunk of the node was executed. `progress` is the policy's own belief, 0..1."""

    node: SkillNode
    progress: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class NodeEnded:
    """The node's success test has spoken."""

    node: SkillNode
    attempt: int
    succeeded: bool
    reason: str


@dataclass(frozen=True, slots=True)
class MonitorRaised:
    """A monitor's score passed its threshold, or the guard intervened."""

    name: str
    level: str
    score: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Scored:
    """The monitor has looked at a chunk. Each score: name, level, score, threshold."""

    scores: tuple[tuple[str, str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A person is asked. `answer` is None while nobody has answered."""

    question: str
    options: tuple[str, ...]
    answer: str | None


@dataclass(frozen=True, slots=True)
class Finished:
    """The command has ended."""

    result: CommandResult


Event = (
    SceneSeen | PlanMade | NodeStarted | NodeProgress | NodeEnded | MonitorRaised | Scored | Asked | Finished
)


class Listener(Protocol):
    """Anything that watches. Must not raise and must return quickly."""

    def __call__(self, event: Event, /) -> None:
        """Take note of an event."""
        ...
