"""The life of one command: perceive, plan, prove, do, look again, until a named outcome is reached."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass

from agent.ask import Asker
from agent.budgets import Budgets
from agent.chat_record import decided
from agent.course import Course
from agent.decisions import history_json
from agent.events import Asked, Event, Finished, Listener, PlanMade
from agent.filming import FrameSink
from agent.mind import Mind
from agent.node_runner import NodeResult, NodeRunner, NodeStatus
from agent.outcome import CommandResult, Outcome
from agent.plan_record import record_decision
from agent.planner.grounder import ground, kept
from agent.planner.instruction import clean_instruction, is_stop
from agent.planner.protocol import (
    Answer,
    Done,
    Failure,
    Plan,
    Question,
    Refusal,
)
from agent.sight import Sight
from agent.skill_runner import SkillRunner
from skills.graph import SkillGraph, SkillNode
from skills.library import Pick
from skills.predicates import State, first_unmet
from skills.verify import Proof, prove
from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder
from traces.span import Links
from vla_low_level.robot import Clock, Robot

BAD_INPUT = frozenset({"EMPTY_INSTRUCTION", "INSTRUCTION_TOO_LONG", "BAD_TEXT"})
GIVE_UP, GO_ON = "stop here", "try again"


@dataclass(frozen=True, slots=True)
class _Ending:
    """How the command ended, before the figures are added."""

    outcome: Outcome
    code: str = ""
    message: str = ""
    fix: str = ""


def _ignore(_event: Event) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Company:
    """Who is there.

    Attributes:
        ask: A person who can answer; None when there is nobody.
        listener: Told of every event.
        frames: Receives a spectator frame and a caption before every chunk.
    """

    ask: Asker | None = None
    listener: Listener = _ignore
    frames: FrameSink | None = None


class Executive:
    """Runs one command at a time on one robot.

    Attributes:
        course: How far the latest command has come; None before the first.
    """

    def __init__(
        self,
        robot: Robot,
        mind: Mind,
        recorder: Recorder,
        company: Company | None = None,
        budgets: Budgets | None = None,
        *,
        clock: Clock = "lockstep",
    ) -> None:
        """Nothing moves until `run`. `recorder` is where everything is written down, `clock` the robot's."""
        company = company or Company()
        self._robot = robot
        self._planner = mind.planner
        self._recorder = recorder
        self._ask = company.ask
        self._listener = company.listener
        self._budgets = budgets or Budgets()
        self._cancelled = threading.Event()
        self._interrupted = False
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.course: Course | None = None
        self._sight = Sight(robot, mind.perceiver, recorder, self._listener, mind.memory)
        chunks = self._budgets.chunks
        self._runner = SkillRunner(
            robot, recorder, self._listener, self._cancelled, max_chunks=chunks, clock=clock
        )
        self._runner.watch_with(mind.monitoring)
        if company.frames is not None:
            self._runner.film(company.frames)
        self._nodes = NodeRunner(robot, self._sight, self._runner, mind.router, mind.retreat, mind.memory)

    def cancel(self) -> None:
        """End the command after the current chunk. Safe from any thread and from a signal handler."""
        self._cancelled.set()

    def correct(self, text: str) -> None:
        """Say something while it works ("no, the blue one"); heard after the current skill. Thread-safe.

        A word to stop is not a plan: it cancels.

        Raises:
            TandemError: When it is not text (`EMPTY_INSTRUCTION`, `INSTRUCTION_TOO_LONG`, `BAD_TEXT`).
        """
        words = clean_instruction(text)
        if is_stop(words):
            self.cancel()
        else:
            self._said.put(words)

    def interrupt(self) -> None:
        """The same, when nobody is left who could have wished it."""
        self._interrupted = True
        self._cancelled.set()

    def run(self, instruction: str, left: Course | None = None) -> CommandResult:
        """Carry out a command in plain words, or go on with what one before has `left`.

        Always returns; the result names what went wrong.
        """
        began = time.monotonic()
        self.course = course = left.resumed() if left else Course(instruction)
        try:
            ending = self._recorded(course)
        except TandemError as error:
            # The disk failed under the root span itself: the arm has been brought to rest already.
            ending = _Ending(Outcome.FAILED, error.code, error.message, error.fix)
        start_s, end_s = course.start_s, course.end_s
        result = CommandResult(
            outcome=ending.outcome,
            code=ending.code,
            message=ending.message,
            fix=ending.fix,
            instruction=course.instruction[:4000],
            steps_done=course.steps_done,
            retries=course.retries,
            replans=max(0, course.versions - 1),
            chunks=self._runner.chunks_executed,
            sim_s=round(end_s - start_s, 3),
            wall_s=round(time.monotonic() - began, 3),
        )
        result = self._write_result(result)
        course.hear(self._said)
        self._listener(Finished(result))
        return result

    def _recorded(self, course: Course) -> _Ending:
        """The command inside its root span; what goes wrong becomes its ending."""
        with self._recorder.span(names.COMMAND, {names.COMMAND_TEXT: course.instruction[:4000]}) as span:
            try:
                course.instruction = clean_instruction(course.instruction)
                course.start_s = course.end_s = self._robot.observe().time_s
                ending = self._agent(course)
            except TandemError as error:
                outcome = Outcome.REFUSED if error.code in BAD_INPUT else Outcome.FAILED
                ending = _Ending(outcome, error.code, error.message, error.fix)
            finally:
                course.end_s = self._come_to_rest(course.start_s)
            if self._interrupted and ending.outcome is Outcome.CANCELLED:
                ending = _Ending(Outcome.INTERRUPTED, "INTERRUPTED", "whoever gave the command has gone")
            span.update(
                {
                    names.OUTCOME: ending.outcome.value,
                    names.OUTCOME_CODE: ending.code,
                    names.OUTCOME_MESSAGE: ending.message,
                }
            )
            if course.cause is not None:
                span.link(course.cause, names.LinkKind.REASON)
            if ending.outcome is Outcome.FAILED:
                span.fail(ending.code, ending.message)
            return ending

    def _write_result(self, result: CommandResult) -> CommandResult:
        """Put the result on record; a command whose record is not whole has not succeeded."""
        try:
            self._recorder.result(result.model_dump(mode="json"))
        except TandemError as error:
            failed = {"code": error.code, "message": error.message, "fix": error.fix}
            return result.model_copy(update={"outcome": Outcome.FAILED, **failed})
        return result

    def _come_to_rest(self, otherwise_s: float) -> float:
        """Hold, and read the clock; a lost body holds by itself."""
        try:
            self._robot.hold()
            return self._robot.observe().time_s
        except TandemError:
            return otherwise_s

    def _agent(self, course: Course) -> _Ending:
        """System 2's loop, bounded by the budgets."""
        with self._recorder.span(names.AGENT, {names.AGENT_NAME: "planner"}):
            if ending := _ENDINGS.get(self._nodes.first_look()):
                return ending
            while course.versions < self._budgets.plans:
                if self._cancelled.is_set():
                    return _cancelled()
                course.hear(self._said)
                decision = self._plan(course)
                ending = self._follow(decision, course)
                if ending is not None:
                    return ending
            return _Ending(Outcome.NEEDS_HELP, "NO_PROGRESS", f"not finished after {course.versions} plans")

    def _follow(self, decision: Plan | Question | Refusal, course: Course) -> _Ending | None:
        """Act on what the planner said. None: go on planning."""
        match decision:
            case Refusal(code=code, message=message, fix=fix):
                # A goal that was pursued and can no longer be seen is a matter for a person, not a refusal.
                outcome = Outcome.NEEDS_HELP if course.steps_done else Outcome.REFUSED
                return _Ending(outcome, code, message, fix)
            case Question():
                return self._put_question(decision, course)
            case Plan(graph=graph) if not graph:
                done = "done" if course.steps_done else "nothing to do: it is already so"
                return _Ending(Outcome.SUCCEEDED, "", done)
            case Plan():
                return self._carry_out(decision, course)

    def _plan(self, course: Course) -> Plan | Question | Refusal:
        """Ask the planner, and write down what it was asked, what it said and what it cost."""
        scene = self._sight.scene
        links: Links = [(self._sight.span, names.LinkKind.OBSERVED)] if self._sight.span else []
        if course.cause is not None:
            links = [*links, (course.cause, names.LinkKind.CAUSED_BY)]
        if scene is None:
            raise TandemError("SCENE_UNSEEN", "planning needs a perceived scene")
        facts: dict[str, object] = {names.PLAN_VERSION: course.versions, names.PLAN_TRIGGER: course.trigger}
        facts[names.PLAN_HISTORY_REF] = self._recorder.json(history_json(course.history))
        with self._recorder.span(names.PLAN, facts, links) as span:
            if course.form is not None and course.trigger == "recheck":
                # What was meant has not changed: only the scene has.
                decision = ground(course.form, scene, course.history, course.task)
            else:
                decision = decided(
                    self._planner, course.instruction, scene, tuple(course.history), self._recorder
                )
                decision = kept(decision, course.form, course.task, scene, course.history)
            record_decision(self._recorder, span, decision)
            if isinstance(decision, Plan):
                course.form, course.task = decision.form, decision.task
            course.cause = span.ref
        self._recorder.sync()
        return decision

    def _put_question(self, question: Question, course: Course) -> _Ending | None:
        """Ask a person; the answer goes into the history that the planner reads."""
        if course.asked_before(question):
            again = f"asked and answered before, and still unclear: {question.text}"
            return _Ending(Outcome.NEEDS_HELP, question.code, again, "say all of it in other words")
        answer = self._ask_person(question.text, question.options, course, question.code)
        if answer is None:
            if self._cancelled.is_set():
                return _cancelled()
            fix = f"say which: {', '.join(question.options)}" if question.options else "say it in other words"
            return _Ending(Outcome.NEEDS_HELP, question.code, question.text, fix)
        course.history.append(Answer(question, answer))
        course.trigger = "human"
        return None

    def _ask_person(
        self, text: str, options: tuple[str, ...], course: Course, code: str = "NO_PROGRESS"
    ) -> str | None:
        """The answer, or None when there is nobody, they have left, or they have been asked enough."""
        self._listener(Asked(text, options, None))
        if self._ask is None or course.questions >= self._budgets.questions:
            return None
        course.questions += 1
        links: Links = [(course.cause, names.LinkKind.CAUSED_BY)] if course.cause else []
        facts = {names.ASK_QUESTION: text, names.ASK_OPTIONS: list(options), names.ASK_CODE: code}
        with self._recorder.span(names.ASK, facts, links) as span:
            began = time.monotonic()
            answer = self._ask(text, options)
            span.set(names.ASK_WAIT_S, time.monotonic() - began)
            if answer is not None:
                span.set(names.ASK_ANSWER, answer)
        if answer is not None:
            self._listener(Asked(text, options, answer))
        return answer

    def _carry_out(self, plan: Plan, course: Course) -> _Ending | None:
        """Prove the plan, then do it node by node. None: look again and go on planning."""
        scene = self._sight.scene
        version, course.versions = course.versions, course.versions + 1
        if scene is None:
            raise TandemError("SCENE_UNSEEN", "a plan needs a perceived scene")
        proof = prove(plan.graph, scene, plan.goal)
        if not isinstance(proof, Proof):
            course.refuted += 1
            course.history.append(Failure(node=proof.node, object="", reason=proof.reason))
            course.trigger = "proof"
            if course.refuted > self._budgets.refuted:
                return _Ending(Outcome.FAILED, "PLAN_INVALID", proof.reason, "say it in other words")
            return None
        course.refuted = 0
        if course.oscillates(scene, plan):
            return self._stuck(None, course)
        self._listener(PlanMade(plan.graph, version, course.trigger))
        before = course.placed
        result = self._do(plan.graph, course)
        if result is not None and result.status in _ENDINGS:
            return _ENDINGS[result.status]
        course.trigger = "recheck" if result is None else result.trigger
        course.fruitless = 0 if course.placed > before else course.fruitless + 1
        if course.fruitless >= self._budgets.fruitless or (result and result.asks):
            return self._stuck(result, course)
        return None

    def _do(self, graph: SkillGraph, course: Course) -> NodeResult | None:
        """Do every node that can be done. None when all were; else the result that ended it."""
        done: frozenset[str] = frozenset()
        while len(done) < len(graph.nodes):
            node = self._choose(graph.ready(done))
            links: Links = [(course.cause, names.LinkKind.CAUSED_BY)] if course.cause else []
            result = self._nodes.run(
                node, self._recorder, self._listener, attempts=self._budgets.attempts, links=links
            )
            course.retries += max(0, result.attempts - 1)
            if result.status not in (NodeStatus.DONE, NodeStatus.UNSEEN):
                course.history.append(Failure(node=node.id, object=node.skill.subject, reason=result.reason))
                course.cause = result.evidence or course.cause
                return result
            course.history.append(Done(node.id, str(node.skill.effects()[0])))
            course.steps_done += 1
            course.placed += not isinstance(node.skill, Pick)
            done |= {node.id}
            if not self._said.empty():
                return None
        return None

    def _choose(self, ready: tuple[SkillNode, ...]) -> SkillNode:
        """Of the nodes that may be done now, the one whose conditions hold and that is easiest to reach."""
        scene = self._sight.scene
        if scene is None:
            return ready[0]
        state = State.of(scene)
        able = [node for node in ready if first_unmet(node.skill.preconditions(), state) is None]
        return min(able or ready, key=lambda node: self._nodes.hands.difficulty(node.skill, scene))

    def _stuck(self, result: NodeResult | None, course: Course) -> _Ending | None:
        """Trying again has not helped: a person decides."""
        why = result.reason if result else "nothing changed"
        text = f"I am not getting further: {why}. What shall I do?"
        answer = self._ask_person(text, (GO_ON, GIVE_UP), course)
        if answer == GO_ON:
            course.fruitless = 0
            course.trigger = "human"
            return None
        if self._cancelled.is_set():
            return _cancelled()
        return _Ending(
            Outcome.NEEDS_HELP, "NO_PROGRESS", f"not getting further: {why}", "help the robot, then repeat"
        )


def _cancelled() -> _Ending:
    return _Ending(Outcome.CANCELLED, "CANCELLED", "cancelled; the arm holds its position")


_ENDINGS = {
    NodeStatus.CANCELLED: _cancelled(),
    NodeStatus.LATCHED: _Ending(
        Outcome.STOPPED,
        "STOPPED",
        "the arm was stopped and stays stopped",
        "find the cause, then reset the robot",
    ),
}
