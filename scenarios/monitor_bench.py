"""One attempt at one subgoal in this process, with the monitor silent and everything it could know kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.affordance import Hands
from agent.monitoring import off_m, spread_m
from agent.whereabouts import whereabouts
from api.faults.perception import FaultyPerceiver
from api.faults.policies import FaultyPolicy
from api.faults.timetable import Timetable
from sim.demos.episode import Stage
from sim.demos.judge import Situation, look, succeeded
from sim.demos.tasks import Kind, Task
from sim.faults.kinds import Site
from sim.faults.plant import FaultyPlant
from sim.faults.spec import Injection
from sim.world import World
from skills.library import (
    CARRYING,
    CloseDrawer,
    OpenDrawer,
    Pick,
    Press,
    Push,
    Put,
    Skill,
    Stack,
)
from skills.predicates import State, Truth, first_unmet
from skills.scene import Scene
from traces.errors import TandemError
from vla_low_level.action import ActionChunk
from vla_low_level.body import Body
from vla_low_level.chunk_executor import ChunkExecutor
from vla_low_level.guard import ChunkHeader
from vla_low_level.monitoring.sample import Felt, Seen, felt, seen
from vla_low_level.observation import F64, CameraImage, Observation
from vla_low_level.plant import PlantState
from vla_low_level.policies.specialist import SpecialistPolicy
from vla_low_level.policy import Doubting, Instruction, Policy, PolicyOutput, RetreatTarget
from vla_low_level.robot import Decision, ExecutionReport

CAMERA = "overhead"
CLEAR_HEIGHT_M = 0.40
# Perceived and true places of one object are no further apart, m.
SAME_M = 0.04
# Twice what good attempts take; what has not been done by then is a failure, and most faults end here.
LONGEST_S = 14.0
MOST_CHUNKS = 60

Perceive = Callable[[Observation, Scene | None, str | None], Scene]


class ChangingPlant:
    """A plant that stands for another one, so that things can begin to go wrong under a body. A `Plant`."""

    def __init__(self, world: World) -> None:
        self.now: World | FaultyPlant = world

    @property
    def time_s(self) -> float:
        """The world's clock."""
        return self.now.time_s

    def read(self) -> PlantState:
        """Measure."""
        return self.now.read()

    def command(self, joint_target_rad: F64, gripper_target: float) -> None:
        """Tell the motors."""
        self.now.command(joint_target_rad, gripper_target)

    def step(self) -> None:
        """Advance."""
        self.now.step()

    def capture(self, names: Sequence[str]) -> dict[str, CameraImage]:
        """Take pictures."""
        return self.now.capture(names)

    def state_hash(self) -> str:
        """Nothing is replayed here."""
        return ""

    def marks(self) -> bytes:
        """Nothing is replayed here."""
        return b""


class StageRobot:
    """A stage's body in this process, in which faults can be injected. Implements `Robot` in lockstep."""

    def __init__(self, stage: Stage, beforehand: Injection | None = None) -> None:
        """`beforehand` is what is wrong before the body wakes up."""
        arm, self.plant = stage.world.embodiment, ChangingPlant(stage.world)
        if beforehand is not None:
            self.plant.now = FaultyPlant(stage.world, beforehand)
        self._body = stage.body = Body(self.plant, arm.kinematics(), arm.limits, arm.home_rad)

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        """Sense now."""
        return self._body.observe(cameras)

    def execute(self, chunk: ActionChunk) -> ExecutionReport:
        """Carry out a chunk."""
        rows: object = chunk.actions
        header = ChunkHeader(chunk.rate_hz, chunk.expires_s, chunk.chunk_id)
        if isinstance(self.plant.now, FaultyPlant):
            rows, header = self.plant.now.chunk(rows, header)
        return self._body.execute(rows, header)

    def hold(self) -> None:
        """Stay."""
        self._body.hold()

    def stop(self, reason: str) -> None:
        """Stop and latch."""
        self._body.stop(reason)

    def reset(self, reason: str) -> None:  # noqa: ARG002 (part of the contract)
        """Clear the latch."""
        self._body.reset()

    def close(self) -> None:
        """Hold."""
        self._body.hold()


@dataclass
class Bench:
    """A scene and who works in it.

    Attributes:
        stage: The world, for the judge.
        robot: What the policy drives.
        policy: On trial.
        perceive: The agent's eyes.
        specialist: Whether the policy is told a pose.
        doubter: The policy itself, whatever it is wrapped in; it can draw more chunks.
        scene: What was perceived last.
        hands: What the agent thinks it holds.
        began_s: The world's clock when a fault began to act; empty where none did.
    """

    stage: Stage
    robot: StageRobot
    policy: Policy
    perceive: Perceive
    specialist: bool
    doubter: Policy | None = None
    retreat: SpecialistPolicy = field(default_factory=SpecialistPolicy)
    scene: Scene | None = None
    hands: Hands = field(default_factory=Hands)
    began_s: list[float] = field(default_factory=list)

    def afflict(self, injection: Injection) -> None:
        """Let things go wrong from now on; their times count from the next look or chunk."""
        times = Timetable(injection, lambda it: self.began_s.append(it.time_s), realtime=True)
        self.robot.plant.now = FaultyPlant(self.stage.world, injection)
        if times.has(Site.POLICY):
            self.policy = FaultyPolicy(self.policy, times)
        if times.has(Site.PERCEIVER):
            self.perceive = FaultyPerceiver(self.perceive, times)

    @property
    def onset_s(self) -> float:
        """When the first fault began to act, the world's clock; NaN when none has."""
        plant = self.robot.plant.now
        told = [it.time_s for it in plant.happened] if isinstance(plant, FaultyPlant) else []
        return min([*told, *self.began_s], default=math.nan)

    def look(self) -> Scene:
        """Perceive again."""
        self.scene = self.perceive(self.robot.observe((CAMERA,)), self.scene, self.hands.held)
        return self.scene


@dataclass
class Rollout:
    """One attempt.

    Attributes:
        skill: Its name.
        started_s: The body's clock at its beginning, s.
        seen: Of every chunk, before it was sent.
        felt: Of every chunk, after it; one fewer when the last one was refused.
        success: The simulator agrees that it was done.
        ended: `done`, `time`, `latched` or `refused`.
        post: What the agent's own success test says: `true`, `false` or `unknown`.
        off_m: How far outside of where the subgoal lies the policy aims, by chunk; NaN where it does not say.
        spread: Of 16 chunks drawn from one condition, by chunk; NaN where the policy cannot.
        contacts: Chunks that ended because something was hit.
        damage: Objects that fell over or off during it.
    """

    skill: str
    started_s: float
    seen: list[Seen] = field(default_factory=list)
    felt: list[Felt] = field(default_factory=list)
    success: bool = False
    ended: str = "time"
    post: str = Truth.UNKNOWN.value
    off_m: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    contacts: int = 0
    damage: int = 0


class _Log:
    """Keeps what the monitor would be told."""

    def __init__(self, rollout: Rollout, bench: Bench, instruction: Instruction) -> None:
        self._rollout, self._bench, self._about = rollout, bench, instruction.about

    def before(self, observation: Observation, output: PolicyOutput) -> None:
        self._rollout.seen.append(seen(observation, output))
        self._rollout.off_m.append(off_m(output, self._about))
        doubter, spread = self._bench.doubter, math.nan
        if isinstance(doubter, Doubting):
            spread = spread_m(doubter, output.features["embedding"])
        self._rollout.spread.append(spread)

    def after(self, executed: object) -> None:
        """Everything is taken from the loop."""


def attempt(bench: Bench, task: Task, skill: Skill) -> Rollout | None:
    """Let the policy try; None when there is no way to begin."""
    scene = bench.scene or bench.look()
    way = bench.hands.target(skill, scene, 1) if isinstance(skill, Pick | Put) else None
    if bench.specialist and way is None:
        return None
    try:
        words = skill.subgoal(scene)
    except LookupError:
        return None
    start = look(bench.stage.world)
    instruction = Instruction(words, way if bench.specialist else None, whereabouts(skill, scene, way))
    rollout = Rollout(skill.name, bench.stage.world.time_s)
    try:
        _drive(bench, instruction, rollout)
    except TandemError as error:
        if error.code == "SUBGOAL_UNCLEAR":
            return None
        rollout.ended = "refused"
    now = look(bench.stage.world)
    x, y, z = (float(v) for v in bench.stage.body.observe().proprioception.ee_position_m)
    rollout.success = succeeded(task, now, start, (x, y, z))
    rollout.damage = _damaged(now) - _damaged(start)
    rollout.post = _post_condition(bench, skill, scene)
    return rollout


def _drive(bench: Bench, instruction: Instruction, rollout: Rollout) -> None:
    executor = ChunkExecutor(bench.robot, bench.policy, "lockstep")
    for executed in executor.run(instruction, _Log(rollout, bench, instruction)):
        report = executed.report
        rollout.felt.append(felt(executed.output.chunk, report))
        verdict = report.verdict
        rollout.contacts += verdict.limit == "contact_force"
        if report.latched:
            rollout.ended = "latched"
            bench.robot.reset("the next attempt")
            return
        if verdict.decision is Decision.HOLD and verdict.step == -1:
            rollout.ended = "refused"
            return
        if executed.output.progress >= 1.0:
            rollout.ended = "done"
            return
        late = report.time_s - rollout.started_s > LONGEST_S
        if late or len(rollout.felt) >= MOST_CHUNKS:
            return


def _post_condition(bench: Bench, skill: Skill, before: Scene) -> str:
    """The agent's success test, as `agent.node_runner` makes it: feel, get out of the way, look."""
    bench.hands.feel(bench.robot.observe().proprioception, skill, before)
    if isinstance(skill, CARRYING) or bench.hands.held is None:
        _retreat(bench, 1.0 if bench.hands.held is None and isinstance(skill, CARRYING) else None)
    scene = bench.look()
    unmet = first_unmet(skill.effects(), State.of(scene))
    if unmet:
        return unmet[1].value
    if isinstance(skill, Pick) and _still_there(skill, before, scene):
        _retreat(bench, None)
        return Truth.of(holds=not _still_there(skill, before, bench.look())).value
    return Truth.TRUE.value


def _retreat(bench: Bench, opening: float | None) -> None:
    target = Instruction("get out of the camera's view", RetreatTarget(CLEAR_HEIGHT_M, opening))
    for k, executed in enumerate(ChunkExecutor(bench.robot, bench.retreat, "lockstep").run(target)):
        if executed.report.latched or executed.output.progress >= 1.0 or k > MOST_CHUNKS:
            break


def _still_there(skill: Pick, before: Scene, now: Scene) -> bool:
    old = before.get(skill.object)
    alike = [o for o in now.objects if old and o.id != now.held and o.phrase == old.phrase]
    return any(math.dist(old.position_m, o.position_m) < SAME_M for o in alike if old)


def _damaged(now: Situation) -> int:
    return sum(item.fallen or item.on_floor for item in now.scene.objects)


def skill_of(task: Task, scene: Scene, truth: Situation, known: dict[str, str]) -> Skill | None:
    """The skill that a task is, with the ids that perception gave; None when its object was not seen.

    `known` maps true ids to perceived ones and is added to.
    """
    for name in (task.object, task.base):
        if name is not None and name not in known:
            item = truth.get(name)
            near = [
                o.id
                for o in scene.objects
                if (o.category, o.colour) == (item.category, item.colour)
                and math.dist(o.position_m[:2], item.position_m[:2]) < SAME_M
            ]
            if not near:
                return None
            known[name] = near[0]
    thing = known.get(task.object or "", "")
    if task.kind is Kind.PICK:
        return Pick(object=thing)
    if task.kind is Kind.PLACE_IN and task.place is not None:
        return Put(object=thing, place=task.place)
    if task.kind is Kind.PLACE_ON and task.base is not None:
        return Stack(object=thing, base=known[task.base])
    if task.kind is Kind.PUSH and task.side is not None:
        return Push(object=thing, side=task.side)
    if task.kind is Kind.PRESS and task.switch is not None:
        return Press(switch=task.switch)
    return OpenDrawer() if task.kind is Kind.OPEN_DRAWER else CloseDrawer()
