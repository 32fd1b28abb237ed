"""Everything a command needs, put together from its options."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from api.options import RunOptions
from traces.errors import TandemError

if TYPE_CHECKING:
    from agent.executive import Company
    from agent.modules import Modules
    from agent.outcome import CommandResult
    from agent.planner.protocol import Plan, Planner, Question, Refusal
    from agent.sight import Perceiver
    from api.session import Session
    from sim.faults.happening import Happening
    from sim.faults.spec import Injection
    from sim.scene import PlacedScene
    from sim.truth import SceneTruth
    from skills.router import PolicyKind
    from skills.scene import Scene
    from traces.recorder import Recorder
    from vla_low_level.policies.specialist import SpecialistPolicy
    from vla_low_level.policy import Policy

RUN_FILE = "run.json"
JPEG_QUALITY = 90


@contextlib.contextmanager
def open_session(options: RunOptions, company: Company, *, privileged: bool = False) -> Iterator[Session]:
    """Start the body, load the models while its world is built, and open the record.

    Raises:
        TandemError: What is wrong with the options, the weights or the disk. Where a record could be opened,
            the failure stands in it.
    """
    options = options.settled()
    from traces.recorder import Recorder

    with contextlib.ExitStack() as stack:
        jpeg = jpeg_qualities(options.jpeg)
        recorder = stack.enter_context(Recorder.open(options.folder, run_facts(options), jpeg=jpeg))
        write_run_file(options, recorder)
        try:
            session = _assemble(options, company, recorder, stack, privileged=privileged)
        except (TandemError, KeyboardInterrupt) as error:
            _record_failure(recorder, never_begun(options, error))
            raise
        try:
            yield session
        except (Exception, KeyboardInterrupt) as error:
            with contextlib.suppress(TandemError):
                recorder.result(broken_off(options, error).model_dump(mode="json"))
            raise


def jpeg_qualities(told: Iterable[str]) -> dict[str, int]:
    """JPEG qualities by camera. Raises `TandemError` (`OPTION_INVALID`) for what is no quality."""
    qualities = {}
    for item in told:
        camera, _, quality = item.partition("=")
        if (not quality.isdecimal() and quality) or not 1 <= int(quality or JPEG_QUALITY) <= 95:
            raise TandemError(
                "OPTION_INVALID", f"{item[:40]!r} is no camera with a quality", fix="write wrist=85"
            )
        qualities[camera] = int(quality or JPEG_QUALITY)
    return qualities


def run_command(options: RunOptions, company: Company) -> CommandResult:
    """Run a command from start to outcome."""
    with open_session(options, company) as session:
        return session.executive.run(options.instruction)


def run_scored(options: RunOptions) -> tuple[CommandResult, SceneTruth]:
    """Run a command with nobody there, then ask the simulator what came of it. For evaluation only."""
    from agent.executive import Company

    with open_session(options, Company(), privileged=True) as session:
        result = session.executive.run(options.instruction)
        return result, session.robot.truth()


def plan_command(options: RunOptions) -> tuple[Scene, Plan | Question | Refusal, float]:
    """Perceive and plan without any motion and without a record; with the time that planning took, s."""
    import time

    from agent.planner.instruction import clean_instruction
    from agent.sight import shown_to
    from sim.robot import SimRobot

    instruction = clean_instruction(options.instruction)
    with SimRobot.start(place(options)) as robot:
        planner = make_planner(options.planner)
        perceiver = shown_to(planner, _perceiver())
        scene = perceiver(robot.observe(("overhead",)), None, None)
        began = time.monotonic()
        decision = planner.plan(instruction, scene, ())
        return scene, decision, time.monotonic() - began


def _assemble(
    options: RunOptions,
    company: Company,
    recorder: Recorder,
    stack: contextlib.ExitStack,
    *,
    privileged: bool,
) -> Session:
    from agent.planner.instruction import clean_instruction
    from api.session import Assembled, make_session
    from sim.faults.record import injection_facts, record_fault
    from sim.robot import SimRobot

    clean_instruction(options.instruction)
    placed = place(options)
    injection = _injection(options)
    recorder.update(injection_facts(injection))
    robot = stack.enter_context(
        SimRobot.start(placed, clock=options.clock, privileged=privileged, faults=injection)
    )
    # The body builds its world while the libraries and the models are loaded here.
    tell = partial(record_fault, recorder, injection)
    robot.on_fault = tell
    mind = load_modules(options, tell).mind()
    return make_session(options, company, recorder, stack, Assembled(placed, robot, mind))


def place(options: RunOptions) -> PlacedScene:
    """The scene of the options, every thing at its place. Raises `TandemError` (`ARM_UNKNOWN`, ...)."""
    from sim.arms import ARMS
    from sim.layout import resolve
    from sim.scene import SceneSpec

    if options.arm not in ARMS:
        raise TandemError(
            "ARM_UNKNOWN", f"there is no arm {options.arm[:40]!r}", fix=f"use one of {', '.join(ARMS)}"
        )
    placed = resolve(SceneSpec.load(options.scene), options.seed)
    return placed.model_copy(update={"arm": options.arm})


def make_planner(spec: str) -> Planner:
    """The planner of a specification: `embedded`, `subgoal`, `openai:URL#MODEL`. Raises `TandemError`."""
    if spec == "subgoal":
        from api.subgoal import SubgoalPlanner

        return SubgoalPlanner()
    from agent.planner import choose

    return choose.make_planner(spec)


def _specialist(arm: str) -> SpecialistPolicy:
    """Retreats to where the arm is at home, which is out of the cameras' way."""
    from sim.arms import embodiment
    from vla_low_level.policies.specialist import SpecialistPolicy

    body = embodiment(arm)
    x, y, _ = body.kinematics().forward(body.home_rad)[0]
    return SpecialistPolicy(retreat_xy_m=(float(x), float(y)))


def load_modules(options: RunOptions, on_fault: Callable[[Happening], None] | None = None) -> Modules:
    """Load perception, planner and policies, with the options' faults. `on_fault` hears when those act.

    Raises:
        TandemError: For options or weights that will not do.
    """
    from agent.modules import Modules
    from agent.sight import shown_to
    from api.monitoring import load_monitoring
    from skills.router import PolicyKind

    planner = make_planner(options.planner)
    perceiver = shown_to(planner, _perceiver())
    only = None if options.policy == "auto" else PolicyKind(options.policy)
    policies = load_policies(options)
    modules = Modules(perceiver, planner, policies, only, load_monitoring(options, policies))
    if not options.faults:
        return modules
    from api.faults.assemble import faulty
    from api.faults.timetable import Timetable

    times = Timetable(_injection(options), on_fault, realtime=options.clock == "realtime")
    return faulty(modules, times)


def load_policies(options: RunOptions) -> dict[PolicyKind, Policy]:
    """Load the policies that the options allow, without faults. Raises as `load_modules`."""
    from skills.router import PolicyKind

    policies: dict[PolicyKind, Policy] = {PolicyKind.SPECIALIST: _specialist(options.arm)}
    if options.policy != PolicyKind.SPECIALIST:
        from vla_low_level.vla.policy import VLAPolicy

        policies[PolicyKind.GENERALIST] = VLAPolicy.from_pretrained(
            options.weights, embodiment=options.arm, seed=options.seed
        )
    return policies


def _injection(options: RunOptions) -> Injection:
    """What is to go wrong. Raises `TandemError` (`FAULT_UNKNOWN`, `FAULT_INVALID`)."""
    from sim.faults.spec import Injection

    return Injection.parse(options.faults, options.seed)


def _perceiver() -> Perceiver:
    from agent.perception.detector import Detector
    from agent.perception.perceive import perceive

    return partial(perceive, Detector.from_pretrained())


def run_facts(options: RunOptions) -> dict[str, object]:
    """What is known about a run before it begins; they open the record."""
    from traces import names

    config = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(options).items()}
    libraries = (
        "tandem-robot",
        "numpy",
        "torch",
        "transformers",
        "pybullet",
        "pydantic",
        "opentelemetry-sdk",
    )
    config["versions"] = {"python": platform.python_version()} | {name: version(name) for name in libraries}
    return {
        names.COMMAND_TEXT: options.instruction[:4000],
        names.SEED: options.seed,
        names.SCENE_NAME: options.scene,
        names.CONFIG: json.dumps(config),
        names.CODE_VERSION: version("tandem-robot"),
        names.EMBODIMENT: options.arm,
    }


def write_run_file(options: RunOptions, recorder: Recorder) -> None:
    """The run's settings as a file, for people who look into the folder."""
    from traces.storage import storage_error

    path = recorder.folder / RUN_FILE
    try:
        path.write_text(json.dumps(run_facts(options), indent=1) + "\n")
    except OSError as cause:
        raise storage_error(cause, path) from cause


def never_begun(options: RunOptions, error: TandemError | KeyboardInterrupt) -> CommandResult:
    """What a command came to that ended before anything could move."""
    from agent.executive import BAD_INPUT
    from agent.outcome import CommandResult, Outcome

    instruction = options.instruction[:4000]
    if isinstance(error, KeyboardInterrupt):
        message = "cancelled before anything moved"
        return CommandResult(
            outcome=Outcome.CANCELLED, code="CANCELLED", message=message, instruction=instruction
        )
    return CommandResult(
        outcome=Outcome.REFUSED if error.code in BAD_INPUT else Outcome.FAILED,
        code=error.code,
        message=error.message,
        fix=error.fix,
        instruction=instruction,
    )


def broken_off(options: RunOptions, error: BaseException) -> CommandResult:
    """What a command came to that ended without a word: by a bug, or by a person who would not wait."""
    from agent.outcome import CommandResult, Outcome

    instruction = options.instruction[:4000]
    if isinstance(error, KeyboardInterrupt):
        message = "broken off from the keyboard"
        return CommandResult(
            outcome=Outcome.INTERRUPTED, code="INTERRUPTED", message=message, instruction=instruction
        )
    message = f"{type(error).__name__}: {error}"
    return CommandResult(outcome=Outcome.FAILED, code="INTERNAL", message=message, instruction=instruction)


def _record_failure(recorder: Recorder, result: CommandResult) -> None:
    """Put a command that could not even begin on record."""
    from traces import names

    with contextlib.suppress(TandemError), recorder.span(names.COMMAND) as span:
        span.update({names.OUTCOME: result.outcome.value, names.OUTCOME_CODE: result.code})
        if result.outcome == "failed":
            span.fail(result.code, result.message)
    with contextlib.suppress(TandemError):
        recorder.result(result.model_dump(mode="json"))
