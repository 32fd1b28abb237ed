"""The recursive grammar of generated instructions: clauses, and what they are joined to.

A clause is text with a private character for each thing it names, and the steps of the sketch that it means,
with the same characters for pointers. Families of templates are in `data/templates.yaml`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from agent.planner.lexicon import read_data
from agent.planner.surfaces import Rng, pick, words_for

_CLASS = re.compile(r"\[(\w+)\]")
_CHOICE = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}|<(it)>")
_FIRST_REF = 0xE000
# Families that are not trained on: those that nothing is chosen by, and those that choose a model.
HELD, CHECKED = "held_", "checked_"
Steps = list[list[str]]


@dataclass(frozen=True, slots=True)
class Clause:
    """Text and meaning of a clause; `parts` are the slots of its first step, for what builds on it."""

    text: str
    steps: Steps
    family: str
    parts: dict[str, list[str]] = field(default_factory=dict)


class Maker:
    """Makes clauses from one stream of random numbers.

    Attributes:
        refs: What is named so far: sort and words, by private character.
    """

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.refs: dict[str, tuple[str, str]] = {}

    def ref(self, sort: str, words: str | None = None) -> str:
        """A new thing that is named."""
        mark = chr(_FIRST_REF + len(self.refs))
        before = any(s in ("the", "all", "any") for s, _ in self.refs.values())
        self.refs[mark] = (sort, words or words_for(sort, self.rng, before=before))
        return mark

    def chosen(self, template: str) -> str:
        """The template with its word classes and choices made."""
        while found := _CLASS.search(template):
            word = pick(self.rng, grammar()["classes"][found.group(1)])
            template = f"{template[: found.start()]}{word}{template[found.end() :]}"
        while found := _CHOICE.search(template):
            word = pick(self.rng, found.group(1).split("|"))
            template = f"{template[: found.start()]}{word}{template[found.end() :]}"
        return template

    def filled(self, template: str, given: dict[str, str] | None = None) -> tuple[str, dict[str, list[str]]]:
        """The template with its slots filled, and what fills each slot of the sketch."""
        parts: dict[str, list[str]] = {}
        given = given or {}

        def fill(found: re.Match[str]) -> str:
            slot = found.group(1) or "it"
            return given[slot] if slot in given else self._fill(slot, parts)

        return _SLOT.sub(fill, self.chosen(template)), parts

    def clause(self, section: str, *, kept: str = "", pronoun: str | None = None) -> Clause:
        """A clause of a section; with a pronoun for what it is done to, when one is given."""
        rules = grammar()["families"][section]
        names = [n for n in rules if n != "do" and kept_of(n) == kept]
        name = pick(self.rng, names)
        template = pick(self.rng, rules[name])
        given: dict[str, str] = {}
        if pronoun is not None and "{o}" in template:
            given["o"] = self.ref("it", pick(self.rng, ("it", "them") if pronoun else ("it",)))
        text, parts = self.filled(template, given)
        if given and pronoun:
            parts["what"] = [pronoun]
        return Clause(text, [step_of(rules["do"], parts)], f"{section}.{name}", parts)

    def of_do(self, do: str, table: str) -> Clause:
        """A clause in another form: `putting the cup in the sink`, or `the cup is in the sink`."""
        text, parts = self.filled(pick(self.rng, grammar()[table][do]))
        return Clause(text, [step_of(do, parts)], table, parts)

    def _fill(self, slot: str, parts: dict[str, list[str]]) -> str:
        match slot:
            case "o" | "g":
                return self._objects(parts, many=slot == "g")
            case "e":
                return self._listed(parts, "but", ("the", "the", "all"), 0.25)
            case "a" | "b" | "c":
                sort = pick(self.rng, ("the",) * 9 + ("any",))
                mark = self.ref(sort)
                parts.setdefault("what" if slot != "b" else "b", []).append(mark)
                parts.setdefault("abc", []).append(mark)
                return mark
            case "it":
                return self.ref("it")
            case "p" | "p2":
                sort = pick(self.rng, ("place",) * 30 + ("alien", "table", "drawer"))
                mark = self.ref(sort)
            case "a2" | "b2":
                return self.ref(*self.refs[parts["abc"]["ab".index(slot[0])]])
            case "m":
                return self.ref("all", words_for("all", self.rng, before=False).split()[-1])
            case "x":
                mark = self.ref(
                    pick(self.rng, ("table", "lamp", "drawer", "foreign", "alien", "place", "the"))
                )
            case _:
                sorts = {
                    "s": "side",
                    "t": "table",
                    "d": "drawer",
                    "l": "lamp",
                    "v": "living",
                    "n": "the",
                    "n2": "place",
                    "q": "place",
                }
                mark = self.ref(sorts[slot])
        parts.setdefault(
            {"p": "to", "s": "to", "t": "at", "q": "at", "d": "thing", "l": "thing"}.get(slot, slot), []
        ).append(mark)
        return mark

    def _objects(self, parts: dict[str, list[str]], *, many: bool) -> str:
        """What a step is done to: one thing, several, some with exceptions, or those that lie somewhere."""
        dice = self.rng.random()
        sorts = ("all",) if many else ("the",) * 6 + ("all",) * 4 + ("any", "other", "foreign")
        if dice < 0.16 and not many:
            return self._listed(parts, "what", sorts, 1.0)
        sort = pick(self.rng, sorts)
        if sort == "other" and not self.refs:
            sort = "the"
        if sort == "other" and self.rng.random() < 0.5:
            sort = "rest"
        mark = self.ref(sort)
        parts.setdefault("what", []).append(mark)
        if dice < 0.24 and sort == "all":
            exception = self._listed(parts, "but", ("the", "the", "all"), 0.25)
            return f"{mark} {self.chosen('[except]')} {exception}"
        if dice < 0.36 and sort in ("the", "all", "any"):
            place = self.ref(pick(self.rng, ("place", "place", "table")))
            parts.setdefault("at", []).append(place)
            return f"{mark} {self.chosen('[where]')} {place}"
        return mark

    def _listed(self, parts: dict[str, list[str]], key: str, sorts: tuple[str, ...], more: float) -> str:
        """One thing, or with a chance of `more` two or three of them in a row."""
        count = int(self.rng.integers(2, 4)) if self.rng.random() < more else 1
        marks = [self.ref(pick(self.rng, sorts)) for _ in range(count)]
        parts.setdefault(key, []).extend(marks)
        if count == 1:
            return marks[0]
        joint = pick(self.rng, (" and ", " and ", " , and ", " & ", " as well as "))
        return f"{' , '.join(marks[:-1])}{joint}{marks[-1]}"


def kept_of(name: str) -> str:
    """The prefix of a family that is not trained on; empty for those that are."""
    return next((prefix for prefix in (HELD, CHECKED) if name.startswith(prefix)), "")


def step_of(do: str, parts: dict[str, list[str]]) -> list[str]:
    """The pieces of one step of a sketch."""
    if do in ("OPEN", "CLOSE", "LON", "LOFF", "PRESS"):
        return [do, *parts.get("thing", [])]
    if do == "LEAVE":
        # Nothing says "leave all but": such a sketch is out of the grammar, and so made anew.
        kept = [m for key in ("what", "to", "b", "at", "thing") for m in parts.get(key, [])]
        return [do, *kept, *(["BUT"] if parts.get("but") else [])]
    what = parts["abc"] if do in ("SWAP", "TOWER", "DOWN") and "abc" in parts else parts.get("what", [])
    step = [do, *what]
    for marker, key in (("BUT", "but"), ("AT", "at"), ("TO", "to")):
        if parts.get(key):
            step += [marker, *parts[key]]
    return [*step, "TO", *parts["b"]] if do == "ON" else step


@cache
def grammar() -> dict[str, Any]:
    """Word classes and template families."""
    whole: dict[str, Any] = _joined(read_data("templates"), read_data("spoken"))
    return whole


def _joined(one: Any, more: Any) -> Any:
    """Two pieces of data as one: lists one after the other, mappings key by key."""
    if isinstance(one, dict) and isinstance(more, dict):
        both = {key: _joined(one[key], more[key]) for key in one.keys() & more.keys()}
        return {key: both.get(key, one.get(key, more.get(key))) for key in dict.fromkeys([*one, *more])}
    return [*one, *more]
