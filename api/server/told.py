"""What the executive tells, as JSON for events."""

from __future__ import annotations

from typing import Any

from agent.events import (
    Asked,
    Event,
    Finished,
    MonitorRaised,
    NodeEnded,
    NodeProgress,
    NodeStarted,
    PlanMade,
    SceneSeen,
    Scored,
)
from api.server.schema import EventType
from skills.graph import SkillGraph
from skills.render import words
from skills.scene import Scene

Told = tuple[EventType, dict[str, Any]]


def told(event: Event) -> list[Told]:
    """Events of the executive as kinds and data; empty for those that go another way."""
    match event:
        case SceneSeen(scene=scene):
            return [(EventType.SCENE, scene_json(scene))]
        case PlanMade(graph=graph, version=version, reason=reason):
            return [(EventType.PLAN, {"version": version, "reason": reason, **graph_json(graph)})]
        case NodeStarted(node=node, attempt=attempt, subgoal=subgoal):
            return [_node(node.id, "running", attempt, subgoal, "")]
        case NodeEnded(node=node, attempt=attempt, succeeded=good, reason=reason):
            return [_node(node.id, "done" if good else "failed", attempt, words(node), reason)]
        case NodeProgress(node=node, progress=progress, elapsed_s=elapsed_s):
            told_of = {"node": node.id, "progress": progress, "elapsed_s": elapsed_s}
            return [(EventType.PROGRESS, told_of)]
        case MonitorRaised(name=name, level=level, score=score, threshold=threshold):
            return [_score(name, level, score, threshold)]
        case Scored(scores=scores):
            return [_score(*score) for score in scores]
        case Asked() | Finished():
            return []


def scene_json(scene: Scene) -> dict[str, Any]:
    """The scene without what only the agent needs."""
    return scene.model_dump(mode="json", exclude={"observation_sequence"})


def graph_json(graph: SkillGraph) -> dict[str, Any]:
    """Nodes and edges of a plan."""
    nodes = [
        {
            "id": node.id,
            "skill": node.skill.name,
            "subgoal": words(node),
            "arguments": node.skill.model_dump(mode="json", exclude={"name"}),
        }
        for node in graph.nodes
    ]
    return {"nodes": nodes, "edges": [list(edge) for edge in graph.edges]}


def _node(node: str, status: str, attempt: int, subgoal: str, reason: str) -> Told:
    told_of = {"node": node, "status": status, "attempt": attempt, "subgoal": subgoal, "reason": reason}
    return EventType.NODE, told_of


def _score(name: str, level: str, score: float, threshold: float) -> Told:
    told_of = {"name": name, "level": level, "score": _finite(score), "threshold": _finite(threshold)}
    return EventType.SCORE, told_of


def _finite(value: float) -> float | None:
    """JSON has no way to write what is not a number."""
    return value if abs(value) < float("inf") else None
