"""A robot and a mind that stay from one command to the next."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from agent.executive import Company
from agent.memory import Memory
from agent.modules import Modules
from api.assemble import (
    broken_off,
    jpeg_qualities,
    load_modules,
    place,
    run_facts,
    write_run_file,
)
from api.options import RunOptions
from api.session import Assembled, Session, make_session
from sim.robot import SimRobot
from sim.scene import PlacedScene
from traces.errors import TandemError
from traces.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Standing:
    """A robot and a mind that stay from one command to the next.

    Attributes:
        options: Those of the robot; each command brings its own words and folder.
        placed: The scene as it was in the beginning.
        robot: The body.
        modules: Perception, planner and policies.
        memory: What is known of the world by now.
    """

    options: RunOptions
    placed: PlacedScene
    robot: SimRobot
    modules: Modules
    memory: Memory


@contextlib.contextmanager
def open_standing(options: RunOptions) -> Iterator[Standing]:
    """Start the body, and load the models while its world is built. Raises as `open_session`."""
    placed = place(options)
    with SimRobot.start(placed, clock=options.clock) as robot:
        modules = load_modules(options)
        robot.observe()
        yield Standing(options, placed, robot, modules, Memory())


@contextlib.contextmanager
def open_command(standing: Standing, options: RunOptions, company: Company) -> Iterator[Session]:
    """A command for a robot that stands already, with a record of its own. Raises as `open_session`."""
    with contextlib.ExitStack() as stack:
        jpeg = jpeg_qualities(options.jpeg)
        recorder = stack.enter_context(Recorder.open(options.folder, run_facts(options), jpeg=jpeg))
        write_run_file(options, recorder)
        mind = replace(standing.modules.mind(), memory=standing.memory)
        session = make_session(
            options, company, recorder, stack, Assembled(standing.placed, standing.robot, mind)
        )
        try:
            yield session
        except BaseException as error:
            with contextlib.suppress(TandemError):
                recorder.result(broken_off(options, error).model_dump(mode="json"))
            raise
