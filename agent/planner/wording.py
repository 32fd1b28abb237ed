"""A plan in words for a person: `put the red cup on the left in the sink, then open the drawer`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import networkx as nx

from agent.planner.describe import whereabouts
from skills.graph import SkillGraph, SkillNode
from skills.library import CloseDrawer, OpenDrawer, Pick, Press, Push, Put, Stack
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
    said = partial(_object, scene=scene)
    for node in nodes:
        match node.skill:
            case Put(object=name, place=place):
                key = ("put", f" in the {place.phrase}")
            case Stack(object=name, base=base):
                key = ("put", f" on {said(base)}")
            case Push(object=name, side=side):
                key = ("push", f" to the {side.value}")
            case Pick(object=name):
                key = ("pick up", "")
            case OpenDrawer():
                name, key = "", ("open the drawer", "")
            case CloseDrawer():
                name, key = "", ("close the drawer", "")
            case Press(switch=switch):
                name, key = "", (f"switch the lamp {switch.value}", "")
        alike.setdefault(key, []).append(said(name) if name else "")
    return " and ".join(f"{do} {_listed(what)}{where}".strip() for (do, where), what in alike.items())


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _object(name: str, scene: Scene) -> str:
    """`the red cup`, and which of several alike."""
    item = scene.get(name)
    if item is None:
        return f"the {name.replace('_', ' ')}"
    twins = [o for o in scene.objects if o.phrase == item.phrase]
    if len(twins) == 1:
        return f"the {item.phrase}"
    return f"the {whereabouts(twins)[twins.index(item)]}"
