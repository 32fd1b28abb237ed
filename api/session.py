"""An executive with its robot and its record around it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.executive import Company, Executive
    from agent.mind import Mind
    from api.options import RunOptions
    from sim.robot import SimRobot
    from sim.scene import PlacedScene
    from traces.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Session:
    """A command that is ready to run.

    Attributes:
        executive: Runs and cancels it.
        robot: The body, for a stop.
        recorder: Where it is written down.
        notes: What a person should know before anything moves.
    """

    executive: Executive
    robot: SimRobot
    recorder: Recorder
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assembled:
    """What a session is made of."""

    placed: PlacedScene
    robot: SimRobot
    mind: Mind


def make_session(
    options: RunOptions,
    company: Company,
    recorder: Recorder,
    stack: contextlib.ExitStack,
    made: Assembled,
) -> Session:
    """An executive with its record around it."""
    from agent.executive import Executive
    from api.monitoring import monitoring_facts, monitoring_notes
    from traces import names
    from vla_low_level.recorded_robot import RecordedRobot

    placed, robot, mind = made.placed, made.robot, made.mind
    recorder.update(
        {
            **monitoring_facts(mind.monitoring),
            names.SCENE_REF: recorder.json(placed.model_dump(mode="json")),
            names.PLANNER_ID: mind.planner.planner_id,
            names.CLOCK: options.clock,
            names.WORLD_USED: mind.memory.scene is not None,
        }
    )
    if options.film:
        from api.film import Film

        company = replace(company, frames=stack.enter_context(Film(options.folder)).take)
    robot.on_work = partial(recorder.adopt, names.BODY_EXECUTE)
    recorded = RecordedRobot(robot, recorder)
    executive = Executive(recorded, mind, recorder, company, clock=options.clock)
    return Session(executive, robot, recorder, monitoring_notes(mind.monitoring))
