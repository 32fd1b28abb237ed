"""A scene and a plan, drawn in characters."""

from __future__ import annotations

import networkx as nx
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from agent.planner.protocol import PredictionSet
from api.text import printable
from skills.graph import SkillGraph, SkillNode
from skills.library import Press, Push, Put, Stack
from skills.scene import Scene
from vla_low_level.nouns import Colour

_INK = {
    Colour.RED: "red3",
    Colour.ORANGE: "dark_orange",
    Colour.YELLOW: "yellow3",
    Colour.GREEN: "green4",
    Colour.BLUE: "dodger_blue2",
    Colour.PURPLE: "medium_purple2",
    Colour.WHITE: "bright_white",
}
_NAMED_WAITS = 2


def scene_table(scene: Scene) -> Table:
    """The scene as perceived: what is where."""
    table = Table(
        title="I see",
        title_style="bold",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 2),
        show_header=False,
    )
    for item in scene.objects:
        x, y, _ = item.position_m
        where = f"in the {item.place.phrase}" if item.place else "on the table"
        name = Text.assemble(("● ", _INK.get(item.colour, "")), item.id)
        table.add_row(name, where, f"x {x:.2f}  y {y:+.2f} m", f"{item.confidence:.0%}")
    if not scene.objects:
        table.add_row("nothing", "", "", "")
    return table


def set_table(among: PredictionSet) -> Table:
    """What may have been meant; a mark before what is likely enough."""
    title = f"what may be meant: likely from {among.threshold:.3f} on ({among.basis})"
    table = Table(
        title=title,
        title_style="bold",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 2),
        show_header=False,
    )
    for candidate in among.candidates:
        why = "" if candidate.why == candidate.words else candidate.why
        mark = "●" if candidate.likely else "○"
        words = printable(f"{candidate.words}" + (f" ({why})" if why else ""))
        table.add_row(f"{mark} {candidate.probability:.3f}", candidate.kind, Text(words))
    return table


def plan_tree(graph: SkillGraph, title: str) -> Tree:
    """The skill graph: a line per object, a branch under what it waits for."""
    tree = Tree(Text(title, style="bold"))
    branches: dict[str, tuple[Tree, Text]] = {}
    rank = {node.id: k for k, node in enumerate(graph.nodes)}
    for node_id in nx.lexicographical_topological_sort(graph.digraph, key=rank.__getitem__):
        node, waits = graph.node(node_id), list(graph.digraph.predecessors(node_id))
        if len(waits) == 1 and graph.node(waits[0]).skill.subject == node.skill.subject:
            branch, line = branches[waits[0]]
            line.append(f" → {_words(node, named=False)}")
        else:
            parent = branches[waits[-1]][0] if waits else tree
            line = Text(_words(node, named=True))
            line.append(_others(waits[:-1]), style="dim")
            branch = parent.add(line)
        branches[node_id] = branch, line
    return tree


def _words(node: SkillNode, *, named: bool) -> str:
    skill = node.skill
    words: list[str] = [skill.name, *filter(None, [skill.subject])] if named else [skill.name]
    match skill:
        case Put(place=place):
            words.append(f"in the {place.phrase}")
        case Stack(base=base):
            words.append(f"on {base}")
        case Push(side=side):
            words.append(f"to the {side.value}")
        case Press(switch=switch):
            words.append(f"for the lamp to be {switch.value}")
    return " ".join(words)


def _others(waits: list[str]) -> str:
    """What else a branch waits for, beside the one under which it is drawn."""
    if not waits:
        return ""
    more = ", ".join(waits) if len(waits) <= _NAMED_WAITS else f"{len(waits)} more"
    return f"  (and after {more})"
