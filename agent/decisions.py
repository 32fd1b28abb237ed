"""The planner's decisions and what it knew, as JSON for the trace, and back again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, get_args

from pydantic import TypeAdapter

from agent.planner.logical_form import LogicalForm
from agent.planner.protocol import Answer, Correction, Done, Failure, History, Plan, Question, Refusal
from skills.graph import SkillGraph
from skills.predicates import Predicate

Decision = Plan | Question | Refusal

_PREDICATES: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Predicate)}


def decision_json(decision: Decision) -> dict[str, Any]:
    """A decision as data; the exchanges that led to it are spans of their own."""
    match decision:
        case Plan():
            return {
                "kind": "plan",
                "graph": decision.graph.as_json(),
                "goal": _terms(decision.goal),
                "task": [_terms(goals) for goals in decision.task],
                "form": decision.form.model_dump(mode="json") if decision.form else None,
                "log_probability": decision.log_probability,
            }
        case Question():
            return {"kind": "question", **_question(decision)}
        case Refusal():
            told = {"code": decision.code, "message": decision.message, "fix": decision.fix}
            return {"kind": "refusal", **told}


def read_decision(told: Mapping[str, Any]) -> Decision:
    """The decision that `decision_json` wrote. Raises KeyError, TypeError, ValueError when it is none."""
    match told["kind"]:
        case "plan":
            form = None if told["form"] is None else LogicalForm.model_validate(told["form"])
            goal = tuple(_predicate(term) for term in told["goal"])
            graph = SkillGraph.model_validate(told["graph"])
            task = tuple(tuple(_predicate(term) for term in goals) for goals in told.get("task", ()))
            return Plan(graph, goal, form, task, log_probability=float(told["log_probability"]))
        case "question":
            return _read_question(told)
        case "refusal":
            return Refusal(told["code"], told["message"], told["fix"])
        case kind:
            raise ValueError(f"no decision of kind {kind!r}")


def history_json(history: Sequence[History]) -> list[dict[str, Any]]:
    """What the planner was told of before."""
    return [_item(item) for item in history]


def _item(item: History) -> dict[str, Any]:
    if isinstance(item, Answer):
        return {"kind": "answer", "question": _question(item.question), "answer": item.answer}
    return {"kind": type(item).__name__.lower(), **asdict(item)}


def read_history(told: Sequence[Mapping[str, Any]]) -> tuple[History, ...]:
    """The history that `history_json` wrote. Raises as `read_decision`."""
    return tuple(_READ[item["kind"]](item) for item in told)


def _question(question: Question) -> dict[str, Any]:
    return {
        item.name: getattr(question, item.name)
        for item in fields(question)
        if item.name not in ("chats", "among")
    }


def _read_question(told: Mapping[str, Any]) -> Question:
    objects, forms = tuple(told["objects"]), tuple(told.get("forms", ()))
    return Question(told["text"], tuple(told["options"]), told["code"], objects, forms)


_READ: dict[str, Callable[[Mapping[str, Any]], History]] = {
    "failure": lambda item: Failure(item["node"], item["object"], item["reason"]),
    "answer": lambda item: Answer(_read_question(item["question"]), item["answer"]),
    "correction": lambda item: Correction(item["text"]),
    "done": lambda item: Done(item["node"], item["effect"]),
}


def _terms(terms: Sequence[Predicate]) -> list[dict[str, Any]]:
    return [{"predicate": type(term).__name__, **asdict(term)} for term in terms]


def _predicate(told: Mapping[str, Any]) -> Predicate:
    values = {name: value for name, value in told.items() if name != "predicate"}
    term: Predicate = _PREDICATES[told["predicate"]].validate_python(values)
    return term
