"""From what was meant to what is there: selectors become objects, steps become goals, goals a skill graph.

Deterministic. No match is a refusal that names what is missing, several for one are a question, and what
is so already is left alone, so that grounding the same form on a later scene gives what is left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.planner.goals import NOT_TO_BE_MOVED, goals_of
from agent.planner.logical_form import Do, LogicalForm, Step, Which, Why
from agent.planner.protocol import Done, Failure, History, Plan, Question, Refusal, Task
from agent.planner.resolve import Context, holds, resolve
from agent.planner.weave import weave
from skills.predicates import Predicate, State, apply
from skills.scene import Scene

_WHY = {
    Why.OBJECT: (
        "UNKNOWN_OBJECT",
        "I do not know such an object",
        "name a cup, plate, spoon, bottle or cube",
    ),
    Why.PLACE: (
        "UNKNOWN_PLACE",
        "I do not know such a place",
        "name the sink, dish rack, utensil holder, bin or tray",
    ),
    Why.HARMFUL: ("HARMFUL", "I will not do anything that could hurt somebody", ""),
    Why.UNSUPPORTED: (
        "UNSUPPORTED",
        "I cannot do that",
        "ask me to clear, put, sort, stack, swap, push or pick things up, or to work the drawer or the lamp",
    ),
}
_LOOSE = (Which.ANY, Which.OTHER, Which.REST, Which.IT)


def ground(
    form: LogicalForm, scene: Scene, history: Sequence[History], before: Task = ()
) -> Plan | Question | Refusal:
    """Ground every step, in order; the first that cannot be grounded decides.

    `before` is what the same form was grounded to on an earlier scene: steps whose meaning changes while they
    are carried out (a swap, two of many, a condition) keep it.
    """
    if form.refuse is not None:
        return Refusal(*_WHY[form.refuse])
    if form.ask:
        return Question(form.ask, (), "NOT_UNDERSTOOD")
    context = Context(scene, State.of(scene), history)
    spared = _spared(form, context)
    if isinstance(spared, Question | Refusal):
        return spared
    task: list[tuple[Predicate, ...]] = []
    for number, step in enumerate(form.steps):
        goals = (
            before[number] if number < len(before) and not _stable(step) else _grounded(step, context, spared)
        )
        if isinstance(goals, Question | Refusal):
            return goals
        context.state = apply(goals, context.state)
        task.append(tuple(goals))
    stages = [(goals, step.then) for goals, step in zip(task, form.steps, strict=True)]
    done = frozenset(h.effect for h in history if isinstance(h, Done))
    troubled = frozenset(h.object for h in history if isinstance(h, Failure))
    woven = weave(stages, scene, done, troubled)
    if isinstance(woven, Refusal):
        return woven
    graph, final = woven
    return Plan(graph, final, form, tuple(task))


def kept(
    decision: Plan | Question | Refusal,
    form: LogicalForm | None,
    before: Task,
    scene: Scene,
    history: Sequence[History],
) -> Plan | Question | Refusal:
    """A decision, as what was understood before where it is that: what is half done keeps its meaning."""
    if not isinstance(decision, Plan) or form is None or decision.form != form:
        return decision
    return replace(ground(form, scene, history, before), chats=decision.chats, among=decision.among)


def _stable(step: Step) -> bool:
    """Does it mean the same objects before and after it is done?"""
    changing = step.only_if is not None or step.do in (Do.SWAP, Do.PRESS, Do.TOWER)
    return not changing and not any(s.which in _LOOSE or s.at.value != "anywhere" for s in step.what)


def _spared(form: LogicalForm, context: Context) -> frozenset[str] | Question | Refusal:
    """What must be left alone, whatever else is said of everything."""
    ids: set[str] = set()
    for step in form.steps:
        for selector in step.what if step.do is Do.LEAVE else ():
            if selector.which in (Which.REST, Which.OTHER):
                continue
            found = resolve(selector.model_copy(update={"which": Which.ALL}), context)
            ids |= {o.id for o in found} if isinstance(found, list) else set()
    return frozenset(ids)


def _grounded(
    step: Step, context: Context, spared: frozenset[str]
) -> tuple[Predicate, ...] | Question | Refusal:
    if step.only_if is not None:
        so = holds(step.only_if, context)
        if isinstance(so, Refusal):
            return so
        if not so:
            return ()
    if step.do is Do.LEAVE:
        for selector in step.what:
            found = resolve(selector, context)
            context.name(found if isinstance(found, list) else ())
        return ()
    goals = goals_of(step, context, spared)
    if isinstance(goals, Refusal) and goals.code == NOT_TO_BE_MOVED:
        return Question(goals.message, (), "NOT_UNDERSTOOD")
    return goals
