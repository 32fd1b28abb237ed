"""What goes over HTTP, as typed models. Times are UTC, lengths m, angles rad."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.outcome import CommandResult
from agent.planner.instruction import MAX_CHARACTERS
from api.server import examples
from skills.scene import PlaceRegion, SceneObject, SeenDrawer, SeenLamp

COMMAND_ID = r"^c-[0-9a-f]{16}$"

CommandId = Annotated[str, Field(pattern=COMMAND_ID, examples=["c-0123456789abcdef"])]
Reason = Annotated[str, Field(min_length=1, max_length=200)]


class State(StrEnum):
    """Where a command stands: the life cycle of ROS 2 actions, and what a robot that asks needs besides."""

    ACCEPTED = "accepted"
    EXECUTING = "executing"
    NEEDS_HELP = "needs_help"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    ABORTED = "aborted"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


TERMINAL = frozenset({State.SUCCEEDED, State.ABORTED, State.CANCELLED, State.REFUSED, State.INTERRUPTED})


class _Answer(BaseModel):
    """What the server says."""

    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    """What it is told: exactly these fields, of exactly these types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NewCommand(_Request):
    """A command in plain words."""

    instruction: str = Field(max_length=MAX_CHARACTERS, examples=["put the red cup in the sink"])


class AnswerBody(_Request):
    """An answer to a question: one of its options, or free text."""

    question: int = Field(ge=1, le=1_000_000, examples=[1])
    answer: str = Field(min_length=1, max_length=1000, examples=["the red cup on the left"])


class Amendment(_Request):
    """A correction of a command that runs: what is done stays, what is left is planned again."""

    text: str = Field(min_length=1, max_length=1000, examples=["not the red one"])


class Nothing(_Request):
    """An empty object."""


class StopBody(_Request):
    """Why the robot is stopped."""

    reason: Reason = "stop"


class ResetBody(_Request):
    """Why the robot may move again."""

    reason: Reason = Field(examples=["looked, all clear"])


class ReplayBody(_Request):
    """How deeply a run is replayed."""

    level: Literal["view", "physics", "decisions"] = "physics"


class Question(_Answer):
    """A question put to a person.

    Attributes:
        id: Counts from 1 within a command.
        text: What it wants to know.
        options: Answers to choose from; free text is welcome as well.
        asked_at: When.
        expires_at: When it stops waiting.
        snapshot: Path of a JPEG of what it saw; None when there is none.
        answer: What was answered; None while nobody has.
    """

    id: int
    text: str
    options: tuple[str, ...] = ()
    asked_at: datetime
    expires_at: datetime
    snapshot: str | None = None
    answer: str | None = None


class Command(_Answer):
    """A command and what has become of it.

    Attributes:
        id: Names it.
        instruction: What was said.
        state: Where it stands.
        terminal: Whether that is final.
        created_at: When it was accepted.
        started_at: When it began; None before.
        ended_at: When it reached its final state; None before.
        queue_position: How many wait before it; None unless it waits.
        question: What it waits for while it needs help.
        amendments: Corrections so far.
        resumes: The command whose rest it does.
        run: Name of its record under `/v1/runs`.
        result: What it came to; None before it has ended.
    """

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [examples.COMMAND]})

    id: CommandId
    instruction: str
    state: State
    terminal: bool = False
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    queue_position: int | None = None
    question: Question | None = None
    amendments: tuple[str, ...] = ()
    resumes: str | None = None
    run: str | None = None
    result: CommandResult | None = None


class Commands(_Answer):
    """Commands, newest first."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [examples.COMMANDS]})

    commands: tuple[Command, ...]


class RobotState(StrEnum):
    """What the robot is up to."""

    STARTING = "starting"
    READY = "ready"
    MOVING = "moving"
    STOPPED = "stopped"
    LOST = "lost"


class Robot(_Answer):
    """The robot as it is now.

    Attributes:
        state: What it is up to.
        latched: A stop is latched: nothing moves until a reset.
        latch_reason: Why it was stopped.
        why: What it was lost by; empty while it is there.
        command: The command that runs.
        queue: How many commands wait.
        arm: Which arm.
        scene: What it stands in.
        cameras: Names of its cameras.
        time_s: The body's clock, s.
        stopped_s: Monotonic clock of this machine when the last stop was in force, s.
        stop_travel_m: How far at most the tool centre point went from where the last stop met it, m.
        joint_position_rad: Measured.
        ee_position_m: Tool centre point, world.
        gripper_opening: 0 closed, 1 open.
        stop_url: The stop's own listener.
        version: Of Tandem.
    """

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [examples.ROBOT]})

    state: RobotState
    latched: bool = False
    latch_reason: str = ""
    why: str = ""
    command: str | None = None
    queue: int = 0
    arm: str
    scene: str
    cameras: tuple[str, ...]
    time_s: float | None = None
    stopped_s: float | None = None
    stop_travel_m: float | None = None
    joint_position_rad: tuple[float, ...] = ()
    ee_position_m: tuple[float, ...] = ()
    gripper_opening: float | None = None
    stop_url: str
    version: str


class Stopped(_Answer):
    """The stop has been handed to the body."""

    stopped: Literal[True] = True


class SceneView(_Answer):
    """The scene as it was last perceived.

    Attributes:
        seen_at: When; None before the first look.
    """

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [examples.SCENE]})

    seen_at: datetime | None = None
    objects: tuple[SceneObject, ...] = ()
    places: tuple[PlaceRegion, ...] = ()
    drawer: SeenDrawer | None = None
    lamp: SeenLamp | None = None
    held: str | None = None


class RunLine(_Answer):
    """A recorded run in one line.

    Attributes:
        name: Names it under `/v1/runs`.
        command: The instruction.
        outcome: How it ended; `unfinished` when nothing says so.
        code: Stable reason; empty on success.
        started_at: When it began; None when the record cannot be read.
        duration_s: Wall time, s; None when there is no result.
        chunks: Action chunks on record.
        scene: Name of the scene.
        arm: Which arm.
        seed: Of everything random; None when unknown.
        planner: Planner backend and model.
    """

    name: str
    command: str
    outcome: str
    code: str = ""
    started_at: datetime | None = None
    duration_s: float | None = None
    chunks: int = 0
    scene: str = ""
    arm: str = ""
    seed: int | None = None
    planner: str = ""


class RunPage(RunLine):
    """A recorded run.

    Attributes:
        result: What it came to.
        lost: Spans that never ended, because the process died.
        trace_id: 32 hex digits.
    """

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [examples.RUN]})

    result: CommandResult | None = None
    lost: int = 0
    trace_id: str = ""


class Runs(_Answer):
    """Runs, latest first."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [examples.RUNS]})

    runs: tuple[RunLine, ...]


class ReplayState(StrEnum):
    """How a replay stands."""

    RUNNING = "running"
    SAME = "same"
    DIFFERS = "differs"
    FAILED = "failed"


class Replay(_Answer):
    """A replay of a run.

    Attributes:
        id: Names it under `/v1/replays`.
        run: Which run.
        level: How deeply.
        state: How it stands.
        report: What it says, as `tandem replay` prints it.
    """

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [examples.REPLAY]})

    id: str
    run: str
    level: str
    state: ReplayState
    report: str = ""


class EventType(StrEnum):
    """Kinds of events."""

    COMMAND = "command"
    SCENE = "scene"
    PLAN = "plan"
    NODE = "node"
    PROGRESS = "progress"
    SCORE = "score"
    QUESTION = "question"
    OUTCOME = "outcome"
    ROBOT = "robot"
    GAP = "gap"


class Event(_Answer):
    """Something that happened.

    Attributes:
        seq: Increases over everything that happens, also across restarts.
        at: When.
        type: What `data` is.
        command: Which command it belongs to.
        data: By type, see docs/api.md.
    """

    seq: int
    at: datetime
    type: EventType
    command: str | None = None
    data: dict[str, Any]


class Problem(_Answer):
    """What went wrong.

    Attributes:
        code: Stable, upper-case.
        message: One sentence for a person.
        fix: What can be done about it.
    """

    code: str
    message: str
    fix: str = ""


class ErrorAnswer(_Answer):
    """Every answer of 400 and above."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [examples.ERROR]})

    error: Problem
