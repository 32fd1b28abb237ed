"""What a person has answered, and what that settles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agent.planner.instruction import clean_instruction
from agent.planner.logical_form import LogicalForm
from agent.planner.protocol import Answer, Correction, History, Plan, Question, Refusal

_SMALL = frozenset({"the", "a", "one", "on", "in", "at", "please", "that", "this", "to"})
_YES = frozenset({"yes", "y", "yeah", "yep", "sure", "ok", "okay", "please do", "do it", "yes please"})
_NO = frozenset({"no", "n", "nope", "none", "neither", "none of them", "no thanks"})
_ANY = frozenset({"any", "either", "either one", "any of them", "whichever", "you choose", "does not matter"})
INSTEAD = "What shall I do instead? Please say it in other words."


def option_of(answer: Answer) -> int | None:
    """Which option an answer takes (from 0): by its words, its number, an id, or words that one alone has."""
    said = " ".join(answer.answer.lower().split()).strip(" .!")
    options = [option.lower() for option in answer.question.options]
    for number, option in enumerate(options):
        names = answer.question.objects[number : number + 1]
        if said in (option, str(number + 1), *names):
            return number
    if options and (said in _ANY or (said in _YES and len(options) == 1)):
        return 0
    words = set(re.findall(r"\w+", said)) - _SMALL
    fits = [k for k, option in enumerate(options) if words <= set(re.findall(r"\w+", option))]
    return fits[0] if words and len(fits) == 1 else None


def chosen_objects(answer: Answer) -> tuple[str, ...]:
    """Ids that an answer picks out."""
    number = option_of(answer)
    objects = answer.question.objects
    return tuple(objects[number].split()) if number is not None and number < len(objects) else ()


def settled_form(history: Sequence[History]) -> LogicalForm | None:
    """What the latest answer has settled; None when it settles nothing, or something was said since."""
    for item in reversed(history):
        if isinstance(item, Correction):
            return None
        if isinstance(item, Answer):
            number = option_of(item)
            form = "".join(item.question.forms[number : number + 1]) if number is not None else ""
            return LogicalForm.parse(form) if form else None
    return None


def latest_words(instruction: str, history: Sequence[History]) -> str:
    """The instruction, or what was answered when asked for other words; then what a person has corrected.

    Raises:
        TandemError: When a person's words are not text (`BAD_TEXT`, ...).
    """
    for item in history:
        if isinstance(item, Correction):
            instruction = f"{instruction.split(' | ', 1)[0]} | {clean_instruction(item.text)}"
        elif isinstance(item, Answer) and not _takes_or_declines(item):
            said = clean_instruction(item.answer)
            other = item.question.code == "NOT_UNDERSTOOD"
            instruction = said if other else f"{instruction.split(' | ', 1)[0]} | {said}"
    return instruction


def _takes_or_declines(answer: Answer) -> bool:
    return option_of(answer) is not None or (bool(answer.question.options) and answer.answer.lower() in _NO)


def asked_once(decision: Plan | Question | Refusal, history: Sequence[History]) -> Plan | Question | Refusal:
    """The decision, but never a question that has been answered before: then for other words, once."""
    asked = [(h.question.text, h.question.options) for h in history if isinstance(h, Answer)]
    if not isinstance(decision, Question) or (decision.text, decision.options) not in asked:
        return decision
    if (INSTEAD, ()) in asked:
        told = Refusal("NOT_UNDERSTOOD", "I still do not know what is meant", "say all of it in other words")
        return replace(told, chats=decision.chats, among=decision.among)
    return replace(decision, text=INSTEAD, options=(), objects=(), forms=(), code="NOT_UNDERSTOOD")
