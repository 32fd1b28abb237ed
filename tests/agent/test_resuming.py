"""Another command goes on with what one that was broken off has left, in front of the real body and eyes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from agent.course import Course
from agent.events import Event, NodeEnded, PlanMade
from agent.executive import Company, Executive, Mind
from agent.outcome import CommandResult, Outcome
from agent.perception.detector import Detector
from agent.perception.perceive import perceive
from agent.planner.embedded import EmbeddedPlanner
from sim.layout import resolve
from sim.robot import SimRobot
from sim.scene import ObjectSpec, SceneSpec
from skills.graph import SkillNode
from skills.router import PolicyKind, Router
from traces.recorder import Recorder
from vla_low_level.nouns import Category, Colour
from vla_low_level.policies.specialist import SpecialistPolicy
from vla_low_level.recorded_robot import RecordedRobot

TO_THE_TRAY = "put the red cube in the tray"
TO_THE_SINK = f"{TO_THE_TRAY}, then put the red cube in the sink"
React = Callable[[Executive, Event], None]


@dataclass
class Bench:
    """A robot and a mind that stay from one command to the next; `react` sees every event."""

    robot: SimRobot
    mind: Mind
    folder: Path

    def run(self, said: str, react: React, left: Course | None = None) -> CommandResult:
        folder = self.folder / f"run-{len(list(self.folder.iterdir()))}"
        with Recorder.open(folder, {}) as recorder:
            company = Company(listener=lambda event: react(self.executive, event))
            self.executive = Executive(RecordedRobot(self.robot, recorder), self.mind, recorder, company)
            return self.executive.run(said, left)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    cube = ObjectSpec(category=Category.CUBE, colour=Colour.RED, position=(0.42, -0.15))
    router = Router({PolicyKind.SPECIALIST: SpecialistPolicy()}, PolicyKind.SPECIALIST)
    mind = Mind(partial(perceive, Detector.from_pretrained()), EmbeddedPlanner(), router)
    with SimRobot.start(resolve(SceneSpec(objects=(cube,)), 3)) as robot:
        yield Bench(robot, mind, tmp_path)


def test_what_is_done_is_not_done_again(bench: Bench) -> None:
    done: list[str] = []

    def break_off_at_the_end(executive: Executive, event: Event) -> None:
        if isinstance(event, NodeEnded) and event.succeeded:
            done.append(event.node.skill.name)
            if done.count("place") == 2:
                executive.interrupt()

    assert bench.run(TO_THE_SINK, break_off_at_the_end).outcome is Outcome.INTERRUPTED
    assert done == ["pick", "place"] * 2
    rest = bench.run(TO_THE_SINK, break_off_at_the_end, bench.executive.course)
    assert (rest.outcome, rest.steps_done) == (Outcome.SUCCEEDED, 0), "it has been in the tray already"


def test_what_was_said_too_late_to_be_heard_counts_for_the_rest(bench: Bench) -> None:
    plans: list[tuple[SkillNode, ...]] = []

    def break_off_with_a_word(executive: Executive, event: Event) -> None:
        if isinstance(event, PlanMade):
            plans.append(event.graph.nodes)
            executive.correct("in the bin")
            executive.cancel()

    bench.run(TO_THE_TRAY, break_off_with_a_word)
    bench.run(TO_THE_TRAY, break_off_with_a_word, bench.executive.course)
    assert "bin" not in str(plans[0])
    assert "bin" in str(plans[1])
