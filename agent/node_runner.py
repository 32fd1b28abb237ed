"""One node of the plan: try it, look at what came of it, try again a bounded number of times."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from agent.affordance import EMPTY_GRIP, OPENED
from agent.events import Listener, NodeEnded, NodeStarted
from agent.ladder import Alarms, Response
from agent.memory import Memory
from agent.sight import Sight
from agent.skill_runner import Attempt, Ended, SkillRunner
from agent.whereabouts import whereabouts
from skills.graph import SkillNode
from skills.library import CARRYING, Pick, Put, Skill
from skills.predicates import State, Truth, first_unmet
from skills.router import PolicyKind, Route, Router
from skills.scene import Scene, SceneObject
from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder
from traces.span import Links, SpanRef
from vla_low_level.policies.grasps import TRAVEL_HEIGHT_M
from vla_low_level.policy import Instruction, Policy, ReleaseTarget, RetreatTarget
from vla_low_level.robot import Robot
from vla_low_level.rotations import yaw_of

# Height that clears the tallest object while another hangs from the hand, m.
CLEAR_HEIGHT_M = 0.40
STILL_THERE_M = 0.03
# What was taken by mistake is let go this far above where it was taken, m.
BACK_ABOVE_M = 0.003


class NodeStatus(StrEnum):
    """How a node ended. UNSEEN: it was done, and the camera cannot confirm it."""

    DONE = "done"
    UNSEEN = "unseen"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LATCHED = "latched"


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What became of a node.

    Attributes:
        status: How it ended.
        reason: Why, in a few words.
        attempts: Tries that were made.
        evidence: The span that judged it last; that of the attempt where there was nothing to judge.
        response: What the last alarm leads to; None when nothing alarmed.
    """

    status: NodeStatus
    reason: str
    attempts: int
    evidence: SpanRef | None
    response: Response | None = None

    @property
    def trigger(self) -> str:
        """Why the next plan is made."""
        return "postcondition" if self.response is None else "monitor"

    @property
    def asks(self) -> bool:
        """The ladder has led to a person."""
        return self.response is Response.ASK


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The success test's word on one attempt; `again` asks for another look, with the arm out of the way."""

    truth: Truth
    reason: str
    span: SpanRef | None = None
    done: Attempt | None = None
    again: bool = False


class NodeRunner:
    """Runs nodes; knows the hand, the eyes and the router, and nothing of plans.

    Attributes:
        hands: What is held.
    """

    def __init__(
        self, robot: Robot, sight: Sight, runner: SkillRunner, router: Router, retreat: Policy, memory: Memory
    ) -> None:
        """`retreat` brings the arm out of the camera's view; `memory` is where what is held is kept."""
        self.hands = memory.hands
        self._robot = robot
        self._sight = sight
        self._runner = runner
        self._router = router
        self._retreat = Route(
            retreat, PolicyKind.SPECIALIST, "it needs no words", "get out of the camera's view"
        )
        self._return = Route(retreat, PolicyKind.SPECIALIST, "it is the wrong thing", "put it back")
        self._alarms = Alarms(runner.monitoring.ladder)

    def run(
        self, node: SkillNode, recorder: Recorder, listener: Listener, *, attempts: int, links: Links
    ) -> NodeResult:
        """Try a node up to `attempts` times, perceiving again in between.

        `links` say what caused the first attempt; later ones link the judgement that the one before failed,
        or that one itself where there was nothing to judge.
        """
        result = NodeResult(NodeStatus.FAILED, "not tried", 0, None)
        for attempt in range(1, attempts + 1):
            if unmet := first_unmet(node.skill.preconditions(), self._state()):
                reason = f"{unmet[0]} is {unmet[1].value}"
                return NodeResult(NodeStatus.FAILED, reason, attempt - 1, result.evidence)
            route = self._router.route(node.skill, self._scene(), attempt)
            facts = _facts(node, attempt, route)
            with recorder.span(names.SKILL.format(skill=node.skill.name), facts, links) as span:
                listener(NodeStarted(node, attempt, route.subgoal))
                status, verdict = self._attempt(node, attempt, route, recorder)
                succeeded = status in (NodeStatus.DONE, NodeStatus.UNSEEN)
                score = verdict.done.score if verdict.done else None
                span.update({names.SKILL_SUCCEEDED: succeeded, names.SKILL_REASON: verdict.reason})
                span.set(names.MONITOR_EPISODE, score)
                if not succeeded:
                    span.fail(status.value.upper(), verdict.reason)
                response = self._respond(node, verdict, recorder, helped=succeeded)
            recorder.sync()
            listener(NodeEnded(node, attempt, succeeded, verdict.reason))
            if response is Response.STOP:
                status = NodeStatus.LATCHED
            result = NodeResult(status, verdict.reason, attempt, verdict.span or span.ref, response)
            if status is not NodeStatus.FAILED or response in (Response.REPLAN, Response.ASK):
                return result
            links = [(ref, names.LinkKind.CAUSED_BY) for ref in _causes(verdict) or [span.ref]]
        return result

    def first_look(self) -> NodeStatus:
        """See where things stand; in a world that is known already the arm may be in the way."""
        if self._sight.scene is not None and (status := _ABRUPT.get(self.clear_view(None).ended)):
            return status
        self._sight.look(self.hands.held)
        return NodeStatus.DONE

    def _respond(
        self, node: SkillNode, verdict: _Verdict, recorder: Recorder, *, helped: bool
    ) -> Response | None:
        """Take the next rung of the ladder, and write down what led to it; None without an alarm."""
        done = verdict.done
        if done is None or done.ended is not Ended.ALARM or done.finding is None:
            return None
        response = Response.CONTINUE if helped else self._alarms.response(node.id, done.finding)
        recorder.log(
            names.RESPONSE,
            {
                names.MONITOR_RESPONSE: response.value,
                names.MONITOR_NAME: done.finding.name,
                names.MONITOR_SCORE: done.finding.score,
                names.MONITOR_THRESHOLD: done.finding.threshold,
            },
        )
        if response is Response.STOP:
            self._robot.stop(f"monitor: {done.finding.name}")
        return response

    def clear_view(self, node: SkillNode | None, opening: float | None = None) -> Attempt:
        """Bring the arm out of the camera's sight, fingers as they are or opened on the way.

        Raises:
            TandemError: `ARM_BLOCKED` when it cannot.
        """
        instruction = Instruction(self._retreat.subgoal, RetreatTarget(CLEAR_HEIGHT_M, opening))
        attempt = Attempt(Ended.ALARM, None, ())
        for _ in range(2):
            attempt = self._runner.run(node, self._retreat, instruction, seen=None, carrying=False)
            if attempt.ended is not Ended.ALARM:
                return attempt
        raise TandemError(
            "ARM_BLOCKED",
            f"the arm cannot leave the camera's view ({attempt.finding.name if attempt.finding else '?'})",
            fix="look at what holds the arm, then give the command again",
        )

    def _attempt(
        self, node: SkillNode, attempt: int, route: Route, recorder: Recorder
    ) -> tuple[NodeStatus, _Verdict]:
        scene, way, specialist = self._scene(), None, route.kind is PolicyKind.SPECIALIST
        if isinstance(node.skill, Put) or (specialist and isinstance(node.skill, Pick)):
            way = self.hands.target(node.skill, scene, attempt)
            if way is None and specialist:
                return NodeStatus.FAILED, _Verdict(
                    Truth.FALSE, "no way to reach it without hitting something"
                )
        about = whereabouts(node.skill, scene, way)
        instruction = Instruction(route.subgoal, way if specialist else None, about)
        carrying = isinstance(node.skill, CARRYING)
        done = self._runner.run(
            node,
            route,
            instruction,
            seen=self._sight.span,
            carrying=carrying,
            skill=node.skill.name if self._alarms.believes(node.id) else None,
        )
        self.hands.feel(self._robot.observe().proprioception, node.skill, scene)
        if abrupt := _abrupt(done):
            return abrupt
        if carrying or self.hands.held is None:
            # What sticks between the fingers that have let it go falls where it was to be put.
            let_go = carrying and done.ended is Ended.DONE and self.hands.held is None
            if abrupt := _abrupt(self.clear_view(node, 1.0 if let_go else None)):
                return abrupt
        verdict = self._judge(node, done, recorder, scene)
        if verdict.again:
            # Lifted a little, a thing is seen right above where it lay: brought away it is not.
            if abrupt := _abrupt(self.clear_view(node)):
                return abrupt
            verdict = self._judge(node, done, recorder, scene)
        if isinstance(node.skill, Pick) and verdict.truth is Truth.FALSE:
            self.hands.let_go()
            self._put_back(node, done)
        status = {Truth.TRUE: NodeStatus.DONE, Truth.UNKNOWN: NodeStatus.UNSEEN}.get(
            verdict.truth, NodeStatus.FAILED
        )
        return status, verdict

    def _put_back(self, node: SkillNode, done: Attempt) -> None:
        """Something is in the hand, and it is not what was to be taken: back to where it was."""
        body = self._robot.observe().proprioception
        empty = body.last_command[6] >= OPENED or body.gripper_opening < EMPTY_GRIP
        if empty or done.lowest_m is None:
            return
        down_m = done.lowest_m + np.array([0.0, 0.0, BACK_ABOVE_M])
        target = ReleaseTarget(down_m, yaw_of(body.target_rotation), TRAVEL_HEIGHT_M)
        instruction = Instruction(self._return.subgoal, target)
        self._runner.run(node, self._return, instruction, seen=None, carrying=False)
        self.hands.let_go()
        self.clear_view(node)
        self._sight.look(None)

    def _judge(self, node: SkillNode, done: Attempt, recorder: Recorder, before: Scene) -> _Verdict:
        """Is the effect true in what is seen and felt now? The policy is not asked."""
        links = [(ref, names.LinkKind.JUDGES) for ref in done.chunks]
        effects = node.skill.effects()
        with recorder.span(names.EVALUATE, {names.EVALUATION_NAME: str(effects[0])}, links) as span:
            # After a pick that worked the arm is still above the table, or what it holds.
            scene = self._sight.look(self.hands.held, arm_in_view=self.hands.held is not None)
            unmet = first_unmet(effects, State.of(scene))
            truth, reason = (unmet[1], f"{unmet[0]} is {unmet[1].value}") if unmet else (Truth.TRUE, "seen")
            again = truth is Truth.TRUE and _still_there(node.skill, before, scene)
            if again:
                truth, reason = Truth.FALSE, "it still lies where it was"
            if truth is not Truth.TRUE and done.finding is not None and done.ended is Ended.ALARM:
                reason = (
                    f"{reason}; {done.finding.name} {done.finding.score:.3g} > {done.finding.threshold:.3g}"
                )
            span.update({names.EVALUATION_LABEL: truth.value, names.EVALUATION_EXPLANATION: reason})
            return _Verdict(truth, reason, span.ref, done, again)

    def _scene(self) -> Scene:
        return self._sight.scene or self._sight.look(self.hands.held)

    def _state(self) -> State:
        return State.of(self._scene())


def _facts(node: SkillNode, attempt: int, route: Route) -> dict[str, object]:
    skill = node.skill
    return {
        names.TOOL_NAME: skill.name,
        names.TOOL_CALL_ID: node.id,
        names.TOOL_ARGUMENTS: json.dumps(skill.model_dump(mode="json", exclude={"name"})),
        names.SKILL_ATTEMPT: attempt,
        names.SKILL_SUBGOAL: route.subgoal,
        names.SKILL_BUDGET_S: skill.time_budget_s,
        names.ROUTE: route.kind.value,
        names.ROUTE_REASON: route.reason,
    }


def _causes(verdict: _Verdict) -> list[SpanRef]:
    """The judgement, and the chunk in which the monitor alarmed."""
    chunks = verdict.done.chunks[-1:] if verdict.done and verdict.done.ended is Ended.ALARM else ()
    return [ref for ref in (verdict.span, *chunks) if ref is not None]


_ABRUPT = {Ended.CANCELLED: NodeStatus.CANCELLED, Ended.LATCHED: NodeStatus.LATCHED}


def _abrupt(attempt: Attempt) -> tuple[NodeStatus, _Verdict] | None:
    """What comes of a node that somebody has ended; None where nobody has."""
    status = _ABRUPT.get(attempt.ended)
    return None if status is None else (status, _Verdict(Truth.UNKNOWN, attempt.ended.value))


def _still_there(skill: Skill, before: Scene, now: Scene) -> bool:
    """Something of the same looks lies where the object lay that should be picked."""
    old = before.get(skill.object) if isinstance(skill, Pick) else None
    if old is None:
        return False
    return any(_same_spot(old, new) for new in now.objects if new.id != now.held)


def _same_spot(old: SceneObject, new: SceneObject) -> bool:
    alike = (old.category, old.colour) == (new.category, new.colour)
    return alike and all(
        abs(a - b) < STILL_THERE_M for a, b in zip(old.position_m, new.position_m, strict=True)
    )
