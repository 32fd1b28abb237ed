"""A plan in words for a person: `put the red cup on the left in the sink, then open the drawer`."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from agent.planner.describe import whereabouts
from skills.graph import SkillGraph, SkillNode
from skills.library import CloseDrawer, OpenDrawer, Pick, Press, Push, Put, Skill, Stack
from skills.scene import Scene

NOTHING = "leave everything as it is"


def in_words(graph: SkillGraph, scene: Scene) -> str:
    """What a plan does, in one line; what waits for something else comes after a `then`."""
    carried = {a for a, b in graph.edges if _carries(graph.node(a), graph.node(b))}
    order = nx.transitive_closure_dag(graph.digraph)
    acts = order.subgraph(n.id for n in graph.nodes if n.id not in carried)
    stages = [[graph.node(name) for name in sorted(layer)] for layer in nx.topological_generations(acts)]
    return ", then ".join(_together(stage, scene) for stage in stages) or NOTHING


def _carries(pick: SkillNode, after: SkillNode) -> bool:
    """Is it picked up only to be put somewhere?"""
    put = isinstance(after.skill, Put | Stack)
    return isinstance(pick.skill, Pick) and put and after.skill.subject == pick.skill.subject


def _together(nodes: Sequence[SkillNode], scene: Scene) -> str:
    """Steps in any order; what is done alike is said once."""
    alike: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        alike.setdefault(_done(node.skill, scene), []).append(_object(node.skill.subject, scene))
    return " and ".join(f"{do} {_listed(what)}{where}".strip() for (do, where), what in alike.items())


def _done(skill: Skill, scene: Scene) -> tuple[str, str]:
    """What is said before the object of a skill, and after it."""
    match skill:
        case Put(place=place):
            return "put", f" in the {place.phrase}"
        case Stack(base=base):
            return "put", f" on {_object(base, scene)}"
        case Push(side=side):
            return "push", f" to the {side.value}"
        case OpenDrawer():
            return "open the drawer", ""
        case CloseDrawer():
            return "close the drawer", ""
        case Press(switch=switch):
            return f"switch the lamp {switch.value}", ""
    return "pick up", ""


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _object(name: str, scene: Scene) -> str:
    """`the red cup`, and which of several alike; empty for no object."""
    if not name:
        return ""
    item = scene.get(name)
    if item is None:
        return f"the {name.replace('_', ' ')}"
    twins = [o for o in scene.objects if o.phrase == item.phrase]
    if len(twins) == 1:
        return f"the {item.phrase}"
    return f"the {whereabouts(twins)[twins.index(item)]}"
