"""The skill graph: what is to be done, and what must wait for what."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any

import networkx as nx
from pydantic import BaseModel, ConfigDict, Field, model_validator

from skills.library import Skill

MAX_NODES = 64
MAX_DEPTH = 32

NodeId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]


class SkillNode(BaseModel):
    """One step: a skill with its arguments, under a name.

    Attributes:
        id: Unique in its graph, e.g. `pick_red_cup_1`.
        skill: What to do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: NodeId
    skill: Skill


class SkillGraph(BaseModel):
    """A directed acyclic graph of skill nodes, checked when it is built.

    Attributes:
        nodes: Steps, in the order in which they would be done if nothing else decided.
        edges: (earlier, later) pairs of node ids; branches without an edge are independent.

    Raises:
        pydantic.ValidationError: On a duplicate or unknown id, a cycle, or a graph that is too large.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    nodes: tuple[SkillNode, ...] = Field(max_length=MAX_NODES)
    edges: tuple[tuple[NodeId, NodeId], ...] = Field(default=(), max_length=MAX_NODES * MAX_NODES)

    @model_validator(mode="after")
    def _check(self) -> SkillGraph:
        ids = {node.id for node in self.nodes}
        if len(ids) != len(self.nodes):
            raise ValueError("two nodes share an id")
        for edge in self.edges:
            if missing := [end for end in edge if end not in ids]:
                raise ValueError(f"edge {edge[0]} -> {edge[1]} names unknown node {missing[0]}")
        if not nx.is_directed_acyclic_graph(self.digraph):
            cycle = " -> ".join(a for a, _ in nx.find_cycle(self.digraph))
            raise ValueError(f"steps wait for each other: {cycle}")
        if self.nodes and nx.dag_longest_path_length(self.digraph) >= MAX_DEPTH:
            raise ValueError(f"the longest chain has {MAX_DEPTH} steps or more")
        return self

    @cached_property
    def digraph(self) -> nx.DiGraph[str]:
        """The same graph in networkx, node ids only. Do not modify."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(node.id for node in self.nodes)
        graph.add_edges_from(self.edges)
        return graph

    def node(self, node_id: str) -> SkillNode:
        """The node of this id. Raises KeyError."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    def ready(self, done: frozenset[str]) -> tuple[SkillNode, ...]:
        """Nodes that are not done and wait for nothing that is not done, in the graph's order."""
        return tuple(
            node
            for node in self.nodes
            if node.id not in done and done.issuperset(self.digraph.predecessors(node.id))
        )

    def __bool__(self) -> bool:
        return bool(self.nodes)

    def as_json(self) -> dict[str, Any]:
        """JSON-ready form."""
        return self.model_dump(mode="json")
