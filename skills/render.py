"""A skill graph as text, as Mermaid and as a picture."""

from __future__ import annotations

import networkx as nx
from PIL import Image, ImageDraw, ImageFont

from skills.graph import SkillGraph, SkillNode
from skills.library import Press, Push, Put, Stack

_BOX, _GAP, _MARGIN = (230, 34), (24, 40), 20
_INK, _FILL, _PAPER = (30, 41, 59), (224, 231, 255), (255, 255, 255)


def words(node: SkillNode) -> str:
    """A step in a few words: `place red cup 1 in the sink`."""
    skill = node.skill
    name, subject = skill.name.replace("_", " "), skill.subject.replace("_", " ")
    match skill:
        case Put(place=place):
            return f"{name} {subject} in the {place.phrase}"
        case Stack(base=base):
            return f"{name} {subject} on {base.replace('_', ' ')}"
        case Push(side=side):
            return f"{name} {subject} to the {side.value}"
        case Press(switch=switch):
            return f"{name} the button: lamp {switch.value}"
    return f"{name} {subject}".strip()


def as_text(graph: SkillGraph) -> str:
    """A line per step, in an order that can be done, with what it waits for."""
    lines = []
    for number, node_id in enumerate(_ordered(graph), start=1):
        waits = sorted(graph.digraph.predecessors(node_id))
        after = f"  (after {', '.join(waits)})" if waits else ""
        lines.append(f"{number}. {words(graph.node(node_id))}{after}")
    return "\n".join(lines)


def as_mermaid(graph: SkillGraph) -> str:
    """A flowchart in Mermaid's syntax; every edge is a dependency."""
    lines = ["flowchart TD", *(f'    {n.id}["{words(n)}"]' for n in graph.nodes)]
    lines += [f"    {before} --> {after}" for before, after in nx.transitive_reduction(graph.digraph).edges]
    return "\n".join(lines)


def as_picture(graph: SkillGraph) -> Image.Image:
    """Layers from top to bottom: side by side is what may be done in any order."""
    layers = [sorted(layer) for layer in nx.topological_generations(graph.digraph)] or [[]]
    widest = max(1, *(len(layer) for layer in layers))
    width = 2 * _MARGIN + widest * _BOX[0] + (widest - 1) * _GAP[0]
    height = 2 * _MARGIN + len(layers) * _BOX[1] + (len(layers) - 1) * _GAP[1]
    image = Image.new("RGB", (width, height), _PAPER)
    draw, at = ImageDraw.Draw(image), {}
    for row, layer in enumerate(layers):
        left = (width - len(layer) * _BOX[0] - (len(layer) - 1) * _GAP[0]) // 2
        for column, node_id in enumerate(layer):
            at[node_id] = left + column * (_BOX[0] + _GAP[0]), _MARGIN + row * (_BOX[1] + _GAP[1])
    for before, after in nx.transitive_reduction(graph.digraph).edges:
        (x0, y0), (x1, y1) = at[before], at[after]
        draw.line((x0 + _BOX[0] // 2, y0 + _BOX[1], x1 + _BOX[0] // 2, y1), fill=_INK, width=2)
    for node_id, (x, y) in at.items():
        draw.rounded_rectangle((x, y, x + _BOX[0], y + _BOX[1]), 8, fill=_FILL, outline=_INK)
        draw.text((x + 10, y + 10), words(graph.node(node_id)), fill=_INK, font=ImageFont.load_default(12))
    return image


def _ordered(graph: SkillGraph) -> list[str]:
    rank = {node.id: k for k, node in enumerate(graph.nodes)}
    return list(nx.lexicographical_topological_sort(graph.digraph, key=rank.__getitem__))
