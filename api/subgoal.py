"""A planner for one subgoal, said as the policy was taught: `tandem run "open the drawer" --planner subgoal`.

It knows the sentences of the demonstrations and nothing else, so every skill can be tried by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from agent.planner.protocol import History, Plan, Question, Refusal
from sim.demos.phrases import means
from sim.demos.tasks import Kind, Task
from skills.graph import SkillGraph, SkillNode
from skills.library import CloseDrawer, OpenDrawer, Pick, Press, Push, Put, Skill, Stack
from skills.predicates import State, first_unmet
from skills.scene import Scene, SceneObject
from vla_low_level.nouns import Place, Side, Switch

EXAMPLES = "pick up the red cup; put the spoon in the sink; open the drawer; turn the lamp on"


class SubgoalPlanner:
    """Finds the one skill that the words are a trained way to ask for."""

    planner_id = "subgoal-1"

    def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
        """A plan of one skill, with the pick before it where something has to be in the hand."""
        del history
        said = " ".join(instruction.lower().split()).strip(" .!?")
        found = [skills for task, skills in _possible(scene) if _meant(said, task, scene)]
        if not found:
            return Refusal(
                "SUBGOAL_UNKNOWN",
                f"none of the skills is asked for in the words {instruction!r}, for what I see",
                f"say for example: {EXAMPLES}; or use --planner embedded",
            )
        if len(found) > 1:
            options = tuple(skills[-1].subgoal(scene) for skills in found)
            return Question("Which do you mean?", options, "AMBIGUOUS")
        goal = tuple(found[0][-1].effects())
        if first_unmet(goal, State.of(scene)) is None:
            return Plan(SkillGraph(nodes=()), goal)
        nodes = tuple(SkillNode(id=f"{skill.name}_{k}", skill=skill) for k, skill in enumerate(found[0]))
        return Plan(SkillGraph(nodes=nodes, edges=tuple((a.id, b.id) for a, b in pairwise(nodes))), goal)


def _meant(said: str, task: Task, scene: Scene) -> bool:
    try:
        return means(said, task, scene.objects)
    except LookupError:
        return False


def _possible(scene: Scene) -> Iterator[tuple[Task, list[Skill]]]:
    """Every task that could be meant on this scene, and the skills that do it."""
    if scene.drawer is not None:
        yield Task(Kind.OPEN_DRAWER), [OpenDrawer()]
        yield Task(Kind.CLOSE_DRAWER), [CloseDrawer()]
    if scene.lamp is not None:
        for switch in Switch:
            yield Task(Kind.PRESS, switch=switch), [Press(switch=switch)]
    for item in scene.objects:
        pick: list[Skill] = [] if item.id == scene.held else [Pick(object=item.id)]
        yield Task(Kind.PICK, item.id), [Pick(object=item.id)]
        for side in Side:
            yield Task(Kind.PUSH, item.id, side=side), [Push(object=item.id, side=side)]
        for place in Place:
            yield Task(Kind.PLACE_IN, item.id, place=place), [*pick, Put(object=item.id, place=place)]
        for base in _bases(item, scene):
            yield Task(Kind.PLACE_ON, item.id, base=base.id), [*pick, Stack(object=item.id, base=base.id)]


def _bases(item: SceneObject, scene: Scene) -> Iterator[SceneObject]:
    return (other for other in scene.objects if other.id != item.id)
