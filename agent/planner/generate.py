"""Instructions and what they mean, without end: the planner's training data.

Every example is drawn from its own keyed stream, so example `n` of a seed is always the same. Template
families whose name begins with `held_` are kept for evaluation, those with `checked_` to choose among models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from agent.planner.canon import unwrapped
from agent.planner.grammar import CHECKED, HELD, Clause, Maker, Steps, grammar, kept_of
from agent.planner.logical_form import LogicalForm
from agent.planner.mentions import MAX_MENTIONS, Marked, mark, spaced
from agent.planner.reading import read
from agent.planner.sketch import fits
from agent.planner.surfaces import pick

_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
_TRIES = 60


@cache
def sections() -> tuple[str, ...]:
    """Sections of clauses, each as often as its weight says."""
    return tuple(name for name, weight in grammar()["weights"].items() for _ in range(weight))


@dataclass(frozen=True, slots=True)
class Example:
    """One pair. `family` names the templates that it was made from.

    Attributes:
        instruction: In plain words; after ` | `, what a person says while it is done.
        marked: What the language model reads.
        sketch: What it is to write.
        form: What that stands for.
        family: The templates that it was made from.
    """

    instruction: str
    marked: Marked
    sketch: str
    form: LogicalForm
    family: str


@dataclass(frozen=True, slots=True)
class _Said:
    """Text with private characters, and what it means: steps with what joins them, or an ending."""

    text: str
    pieces: list[str]
    family: str


def example(seed: int, number: int, *, kept: str = "") -> Example:
    """Example `number` of a stream; from families kept out of training when `kept` names their prefix."""
    for attempt in range(_TRIES):
        maker = Maker(np.random.default_rng([seed, number, len(kept), attempt]))
        said = _kept(maker, kept) if kept else _any(maker)
        made = _example(maker, said)
        if made is not None:
            return made
    raise RuntimeError(f"no example {number} of seed {seed} could be made")


def _any(maker: Maker) -> _Said:
    dice = maker.rng.random()
    if dice < 0.10:
        return _wrapped(maker, _refused(maker))
    if dice < 0.15:
        return _unclear(maker)
    if dice < 0.25:
        return _corrected(maker)
    if dice < 0.50:
        return _wrapped(maker, _alone(_clause(maker)))
    if dice < 0.62:
        return _wrapped(maker, _conditional(maker))
    if dice < 0.68:
        return _wrapped(maker, _more(maker))
    return _wrapped(maker, _joined(maker))


def _kept(maker: Maker, kept: str) -> _Said:
    """A family of this prefix, or a joint or a condition of it."""
    dice = maker.rng.random()
    if dice < 0.8:
        rules = grammar()["families"]
        section = pick(maker.rng, [s for s in sections() if any(n.startswith(kept) for n in rules[s])])
        return _wrapped(maker, _alone(maker.clause(section, kept=kept)))
    return _wrapped(maker, _conditional(maker, kept=kept) if dice < 0.88 else _joined(maker, kept=kept))


def _clause(maker: Maker) -> Clause:
    return maker.clause(pick(maker.rng, sections()))


def _acting(maker: Maker) -> Clause:
    """A clause to join with others: not `stop` alone, as waiting and then going on is no plan."""
    while (clause := _clause(maker)).steps == [["LEAVE"]]:
        pass
    return clause


def _alone(clause: Clause) -> _Said:
    return _Said(clause.text, [p for step in clause.steps for p in step], clause.family)


def _together(steps: Steps, joints: list[str]) -> list[str]:
    pieces = list(steps[0])
    for joint, step in zip(joints, steps[1:], strict=True):
        pieces += [joint, *step]
    return pieces


def _joined(maker: Maker, *, kept: str = "") -> _Said:
    """Two or three clauses, side by side, one after the other, or said the other way round."""
    joins = grammar()["joins"]
    name = pick(maker.rng, [n for n in joins if kept_of(n) == kept])
    template = pick(maker.rng, joins[name])
    clauses: dict[str, Clause] = {}

    def fill(found: re.Match[str]) -> str:
        slot, form = found.group(1), found.group(2)
        clause = _slotted(maker, form, clauses.get("A") if slot in ("B", "B2", "C") else None)
        clauses[slot[0]] = clause
        return clause.text

    text = _SLOT.sub(fill, maker.chosen(template))
    ordered = [clauses[k].steps[0] for k in sorted(clauses)]
    joint = ";" if name.removeprefix(kept).startswith(("and", "also")) else ">"
    family = f"{name}({'+'.join(sorted(clauses[k].family for k in clauses))})"
    return _Said(text, _together(ordered, [joint] * (len(ordered) - 1)), family)


def _slotted(maker: Maker, form: str | None, before: Clause | None) -> Clause:
    if form is not None:
        return maker.of_do(pick(maker.rng, tuple(grammar()[form])), form)
    if before is not None and before.steps[0][0] == "PUT":
        dice = maker.rng.random()
        if dice < 0.25:
            text, parts = maker.filled(pick(maker.rng, grammar()["more"]["gap"]))
            return Clause(text, [_put(parts["what"], parts)], "gap", parts)
        if dice < 0.33 and len(before.parts.get("what", ())) == 1 and "but" not in before.parts:
            return maker.clause("put", pronoun=before.parts["what"][0])
    return _acting(maker)


def _put(what: list[str], parts: dict[str, list[str]]) -> list[str]:
    step = ["PUT", *what]
    for marker, key in (("BUT", "but"), ("AT", "at"), ("TO", "to")):
        step += [marker, *parts[key]] if parts.get(key) else []
    return step


def _conditional(maker: Maker, *, kept: str = "") -> _Said:
    rules = grammar()["conditions"]
    kinds = ("there", "there", "there", "absent", "furniture", "unfurniture")
    kind = f"{kept}case" if kept else pick(maker.rng, kinds)
    template = maker.chosen(pick(maker.rng, rules[kind]))
    marker = "UNLESS" if kind in ("absent", "unfurniture") and "{n}" not in template else "IF"
    seen: list[str] = []
    filling: dict[str, str] = {}
    for slot in re.findall(r"\{(\w+)\}", template):
        if slot in ("x", "n"):
            sort = "no" if slot == "n" else pick(maker.rng, ("any", "any", "any", "all", "the"))
            filling[slot] = maker.ref(sort)
            seen = [filling[slot], *seen]
        elif slot == "q":
            filling[slot] = maker.ref(pick(maker.rng, ("place", "table")))
            seen += ["AT", filling[slot]]
        elif slot == "f":
            sort = pick(maker.rng, ("drawer", "lamp"))
            filling[slot] = maker.ref(sort)
            state, words = pick(maker.rng, _STATES[sort])
            filling["w"] = pick(maker.rng, words)
            seen = [filling[slot], state]
    clause = _consequence(maker, kind, filling)
    step = [*clause.steps[0], marker, *seen]
    text = _SLOT.sub(lambda m: clause.text if m.group(1) == "S" else filling[m.group(1)], template)
    return _Said(text, step, f"{kind}({clause.family})")


_STATES = {
    "drawer": (("OPENED", ("open", "pulled out", "opened")), ("SHUT", ("closed", "shut"))),
    "lamp": (("LIT", ("on", "lit", "switched on")), ("DARK", ("off", "dark", "switched off", "out"))),
}


def _consequence(maker: Maker, kind: str, filling: dict[str, str]) -> Clause:
    """What is done if it is so: often with `it` for what was seen."""
    if kind in ("there", f"{HELD}case", f"{CHECKED}case") and maker.rng.random() < 0.6:
        section = pick(maker.rng, ("put", "put", "put", "away", "trash", "push"))
        return maker.clause(section, pronoun=filling["x"])
    if "f" in filling and maker.rng.random() < 0.5:
        sections = ("open", "close") if maker.refs[filling["f"]][0] == "drawer" else ("lampon", "lampoff")
        clause = maker.clause(pick(maker.rng, sections))
        (thing,) = clause.parts["thing"][:1]
        maker.refs[thing] = ("it", "it") if maker.rng.random() < 0.7 else maker.refs[thing]
        steps = [[p for p in clause.steps[0] if maker.refs.get(p, ("",))[0] != "it"]]
        return Clause(clause.text, steps, clause.family, clause.parts)
    return _clause(maker)


def _more(maker: Maker) -> _Said:
    """Something added to, or taken from, a clause that puts things somewhere."""
    kind = pick(maker.rng, ("too", "nots", "inner"))
    template = pick(maker.rng, grammar()["more"][kind])
    if kind == "inner":
        text, parts = maker.filled(template)
        steps = _sparing(maker, Clause(text, [_put(parts["what"], parts)], "inner", parts), parts)
        return _Said(text, _together(steps, [";"] * (len(steps) - 1)), "inner")
    base = maker.clause("put")
    text, parts = maker.filled(template, {"A": base.text})
    if kind == "too":
        steps = [base.steps[0], _put(parts["what"], parts | {"to": base.parts["to"]})]
    else:
        steps = _sparing(maker, base, parts)
    return _Said(text, _together(steps, [";"] * (len(steps) - 1)), f"{kind}({base.family})")


def _sparing(maker: Maker, base: Clause, parts: dict[str, list[str]]) -> Steps:
    """Something left out: of all that is named, an exception; else it is left alone."""
    of_all = all(maker.refs[mark][0] == "all" for mark in base.parts["what"])
    if of_all and parts.keys() & {"n", "n2", "thing"} == {"n"} and "BUT" not in base.steps[0]:
        return _mended("but", base, {"but": parts["n"]})
    return [base.steps[0], _left_alone(parts)]


def _left_alone(parts: dict[str, list[str]]) -> list[str]:
    return ["LEAVE", *(mark for key in ("n", "n2", "thing") for mark in parts.get(key, []))]


def _corrected(maker: Maker) -> _Said:
    """An instruction, and what a person says while it is carried out."""
    kind = pick(maker.rng, ("what", "what", "to", "to", "side", "base", "add", "but", "but", "stop", "new"))
    sections_of = {
        "side": ("push",),
        "base": ("on",),
        "but": ("table", "putbut"),
        "stop": sections(),
        "new": sections(),
    }
    section = pick(maker.rng, sections_of.get(kind, ("put",)))
    base = maker.clause(section)
    template = maker.chosen(pick(maker.rng, grammar()["corrections"][kind]))
    repeated: list[str] = []
    for old, key in (("<1>", "what"), ("<2>", "to" if kind != "base" else "b")):
        if old in template and base.parts.get(key):
            again = maker.ref(*maker.refs[base.parts[key][0]])
            template = template.replace(old, again)
            repeated.append(again)
    if kind == "new":
        clause = _clause(maker)
        text, steps = template.replace("{B}", clause.text), clause.steps
    else:
        text, parts = maker.filled(template)
        steps = _mended(kind, base, parts)
    steps = [*steps, ["LEAVE", *repeated]] if repeated else steps
    said = _wrapped(maker, _Said(base.text, [], base.family))
    return _Said(f"{said.text} | {text}", _together(steps, [";"] * (len(steps) - 1)), f"corrected.{kind}")


def _mended(kind: str, base: Clause, parts: dict[str, list[str]]) -> Steps:
    step = base.steps[0]
    match kind:
        case "what":
            at = {k: v for k, v in base.parts.items() if k == "to"}
            return [_put(parts["what"], {**parts, **at})]
        case "to":
            return [_put(base.parts.get("what", []), {**base.parts, "to": parts["to"]})]
        case "side":
            return [[*step[: step.index("TO")], "TO", *parts["to"]]]
        case "base":
            return [[*step[: step.index("TO")], "TO", *parts["b"]]]
        case "add":
            return [step, _put(parts["what"], {**parts, "to": base.parts["to"]})]
        case "but":
            cut = step.index("TO") if "TO" in step else step.index("AT") if "AT" in step else len(step)
            return [[*step[:cut], *([] if "BUT" in step else ["BUT"]), *parts["but"], *step[cut:]]]
    return [["LEAVE"]]


def _refused(maker: Maker) -> _Said:
    kind = pick(maker.rng, ("harm", "harm", "harm", "knock", *("cannot",) * 6, *("bare",) * 3))
    template = pick(maker.rng, grammar()["refused"][kind])
    text = _SLOT.sub(lambda m: _clause(maker).text if m.group(1) in "SAB" else m.group(0), template)
    text, _ = maker.filled(text)
    return _Said(text, ["HARM" if kind in ("harm", "knock") else "CANNOT"], f"refused.{kind}")


def _unclear(maker: Maker) -> _Said:
    if maker.rng.random() < 0.25:
        text, _ = maker.filled(pick(maker.rng, grammar()["unclear"]["it"]))
        return _wrapped(maker, _Said(text, ["ASK"], "unclear.it"))
    kind = pick(maker.rng, ("bare", "plain", "plain"))
    template = pick(maker.rng, grammar()["unclear"][kind])
    text = _SLOT.sub(lambda m: _clause(maker).text if m.group(1) in ("A", "B") else m.group(0), template)
    text, _ = maker.filled(text)
    return _Said(text, ["ASK"], f"unclear.{kind}")


def _wrapped(maker: Maker, said: _Said) -> _Said:
    """What is said around it; the canonicaliser takes most of it away again."""
    template = maker.chosen(pick(maker.rng, grammar()["wrap"]))
    return _Said(unwrapped(template.replace("{S}", said.text)), said.pieces, said.family)


def _example(maker: Maker, said: _Said) -> Example | None:
    """Words for the private characters; None when they would not be read back as they were meant."""
    tokens: list[str] = []
    starts: dict[str, int] = {}
    for token in re.findall(r"[\ue000-\uf8ff]|\||[^\s\ue000-\uf8ff|]+", said.text):
        if token in maker.refs:
            starts[token] = len(" ".join(tokens)) + bool(tokens)
            tokens += maker.refs[token][1].split()
        elif token == "|":
            tokens.append(token)
        else:
            tokens += spaced(token).split()
    text = " ".join(tokens)
    marked = mark(text)
    at = {mention.start: k for k, mention in enumerate(marked.mentions, start=1)}
    pointers = {ref: f"<{at[start]}>" for ref, start in starts.items() if start in at}
    asked = said.pieces[0] in ("ASK", "HARM", "CANNOT")
    if len(marked.mentions) > MAX_MENTIONS or (not asked and not _faithful(maker, marked, starts, pointers)):
        return None
    pieces = [pointers.get(piece, piece) for piece in said.pieces]
    if not fits(pieces, [mention.sort for mention in marked.mentions]):
        return None
    sketch = "".join(pieces)
    try:
        form = read(sketch, marked.mentions)
    except ValueError:
        return None
    return Example(text, marked, sketch, form, said.family)


def _faithful(maker: Maker, marked: Marked, starts: dict[str, int], pointers: dict[str, str]) -> bool:
    """Is what was named read as that, whole and as that sort, and nothing else but `it`?"""
    if pointers.keys() != starts.keys():
        return False
    for ref, pointer in pointers.items():
        mention, (sort, words) = marked.mentions[int(pointer[1:-1]) - 1], maker.refs[ref]
        if mention.words != words or mention.sort != sort:
            return False
    strange = {m.start for m in marked.mentions if m.sort != "it"} - set(starts.values())
    return not strange
