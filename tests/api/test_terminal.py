"""What a person sees, without a robot."""

import io

import pytest
from rich.console import Console

from agent.events import MonitorRaised, NodeEnded, NodeProgress, NodeStarted, PlanMade, SceneSeen
from agent.outcome import CommandResult, Outcome
from api.pictures import plan_tree
from api.terminal import Terminal, outcome_panel
from api.text import printable
from sim.scene import builtin_scenes
from skills.graph import SkillGraph, SkillNode
from skills.library import Pick, Put
from skills.scene import Scene, SceneObject
from vla_low_level.nouns import Category, Colour, Place

CUP = SceneObject(id="red_cup_1", category=Category.CUP, colour=Colour.RED, position_m=(0.4, 0.1, 0.0))
CUBE = SceneObject(id="blue_cube_1", category=Category.CUBE, colour=Colour.BLUE, position_m=(0.5, 0.0, 0.0))
NODES = (
    SkillNode(id="pick_cup", skill=Pick(object=CUP.id)),
    SkillNode(id="place_cup", skill=Put(object=CUP.id, place=Place.SINK)),
    SkillNode(id="pick_cube", skill=Pick(object=CUBE.id)),
    SkillNode(id="place_cube", skill=Put(object=CUBE.id, place=Place.TRAY)),
)
PAIRS = (("pick_cup", "place_cup"), ("pick_cube", "place_cube"))


def console(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=80, force_terminal=terminal)


def printed(to: Console) -> str:
    return to.file.getvalue()


def drawn(graph: SkillGraph) -> list[str]:
    to = console()
    to.print(plan_tree(graph, "plan"))
    return printed(to).splitlines()


def test_independent_objects_are_branches_of_their_own() -> None:
    assert drawn(SkillGraph(nodes=NODES, edges=PAIRS)) == [
        "plan",
        "├── pick red_cup_1 → place in the sink",
        "└── pick blue_cube_1 → place in the tray",
    ]


def test_what_waits_is_drawn_under_what_it_waits_for_in_whatever_order_it_was_written() -> None:
    graph = SkillGraph(nodes=NODES[::-1], edges=(*PAIRS, ("place_cup", "pick_cube")))
    assert drawn(graph) == [
        "plan",
        "└── pick red_cup_1 → place in the sink",
        "    └── pick blue_cube_1 → place in the tray",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_run_is_told_step_by_step(terminal: bool) -> None:
    to = console(terminal=terminal)
    tell = Terminal(to)
    tell(SceneSeen(Scene(objects=(CUP, CUBE), places=())))
    tell(PlanMade(SkillGraph(nodes=NODES, edges=PAIRS), 0, "initial"))
    tell(NodeStarted(NODES[0], 1, "pick up the red cup"))
    tell(NodeProgress(NODES[0], 0.5, 2.0))
    tell(MonitorRaised("grip_opening", "alarm", 0.01, 0.05))
    tell(NodeEnded(NODES[0], 1, False, "held(red_cup_1) is false"))
    tell(NodeStarted(NODES[0], 2, "pick up the red cup"))
    tell(NodeProgress(NODES[0], 1.0, 6.5))
    tell(NodeEnded(NODES[0], 2, True, "seen"))
    seen = printed(to)
    for words in ("red_cup_1", "plan 1", "✗", "held(red_cup_1) is false", "✓", "(try 2)", "4.5 s", "1/4"):
        assert words in seen
    assert "monitor alarm: grip_opening 0.01, bound 0.05" in seen


def test_the_outcome_names_code_fix_and_folder(tmp_path) -> None:
    to = console()
    result = CommandResult(outcome=Outcome.NEEDS_HELP, code="NO_PROGRESS", message="stuck", fix="help me")
    to.print(outcome_panel(result, tmp_path))
    seen = printed(to).replace("\n", "")
    assert all(words in seen for words in ("needs_help", "NO_PROGRESS", "stuck", "fix: help me", "trace"))


def test_control_characters_are_written_out() -> None:
    assert printable("a\x1b[31mb\u202ec\udcff\n") == "a\\u001b[31mb\\u202ec\\udcff\n"


def test_the_help_names_every_scene(tandem) -> None:
    told = tandem("run", "--help").stdout
    assert all(name in told for name in builtin_scenes())
