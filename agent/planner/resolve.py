"""Selectors on a scene: which objects are meant, or the question or refusal that comes instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.planner.answers import chosen_objects
from agent.planner.describe import whereabouts
from agent.planner.logical_form import At, Condition, Looks, Seen, Selector, Side, Which
from agent.planner.protocol import Answer, History, Question, Refusal
from skills.predicates import DrawerIs, LampIs, State, Truth
from skills.scene import Scene, SceneObject
from vla_low_level.nouns import Opening, Switch

# Told apart by side only when it is plain to see, m.
APART_M = 0.02
_SEEN: dict[Seen, DrawerIs | LampIs] = {
    Seen.OPEN: DrawerIs(Opening.OPEN),
    Seen.CLOSED: DrawerIs(Opening.CLOSED),
    Seen.ON: LampIs(Switch.ON),
    Seen.OFF: LampIs(Switch.OFF),
}


@dataclass
class Context:
    """What selectors are resolved in.

    Attributes:
        scene: What was perceived.
        state: The same after the steps before, as far as they are known.
        history: What happened and was answered before.
        named: Ids of objects that were named, the latest last.
        last: Ids that `it` or `them` stand for.
    """

    scene: Scene
    state: State
    history: Sequence[History]
    named: list[str] = field(default_factory=list)
    last: tuple[str, ...] = ()

    def name(self, items: Sequence[SceneObject]) -> None:
        """Remember that these were named."""
        self.last = tuple(item.id for item in items) or self.last
        self.named += [item.id for item in items]


def resolve(
    selector: Selector, context: Context, prefer: frozenset[str] = frozenset()
) -> list[SceneObject] | Question | Refusal:
    """The objects that are meant. Of several that would do, those in `prefer` are taken first."""
    if selector.which is Which.IT:
        found = [o for o in context.scene.objects if o.id in context.last]
        return found or Question("What do you mean by it?", (), "NOT_UNDERSTOOD")
    found = matching(selector, context)
    if selector.which in (Which.OTHER, Which.REST):
        found = [o for o in found if o.id not in context.named]
    if selector.which in (Which.ALL, Which.REST):
        return found or _nothing(selector, context)
    found = _furthest(selector, found, context)
    if len(found) < selector.count:
        return _too_few(selector, found, context) if found else _nothing(selector, context)
    if len(found) == selector.count:
        return found
    return _some(selector, found, context, prefer)


def matching(selector: Looks, context: Context) -> list[SceneObject]:
    """What looks as described and lies where it is said to, in the scene's order."""
    found = [o for o in context.scene.objects if _looks_like(selector, o, context)]
    if not isinstance(selector, Selector):
        return found
    unwanted = {o.id for looks in selector.but for o in matching(looks, context)}
    return [o for o in found if o.id not in unwanted]


def _looks_like(looks: Looks, item: SceneObject, context: Context) -> bool:
    if looks.kind.value not in ("any", item.category.value) or looks.hue.value not in (
        "any",
        item.colour.value,
    ):
        return False
    if looks.at is At("anywhere"):
        return True
    where = context.state.location.get(item.id, "hand")
    return where is None if looks.at is At("table") else where == looks.at.value


def _furthest(selector: Selector, found: list[SceneObject], context: Context) -> list[SceneObject]:
    """Of several, those furthest to the side that is named, when that is plain to see.

    It is not when one in a fixture lies further out than those on the table: either could be meant.
    """
    if selector.side is Side.ANY or len(found) <= selector.count:
        return found
    sign = -1 if selector.side is Side.LEFT else 1
    ranked = sorted(found, key=lambda o: sign * o.position_m[1])
    on_table = [o for o in ranked if context.state.location.get(o.id) is None][: selector.count]
    if on_table and on_table != ranked[: selector.count]:
        return found
    gap = abs(ranked[selector.count].position_m[1] - ranked[selector.count - 1].position_m[1])
    return ranked[: selector.count] if gap > APART_M else found


def _some(
    selector: Selector, found: list[SceneObject], context: Context, prefer: frozenset[str]
) -> list[SceneObject] | Question:
    """So many of more: any, those a person chose, the held one, or those that are already as wanted."""
    answered = {name for h in context.history if isinstance(h, Answer) for name in chosen_objects(h)}
    told = [o for o in found if o.id in answered] or [o for o in found if o.id == context.scene.held]
    if len(told) == selector.count:
        return told
    ready = [o for o in found if o.id in prefer]
    if selector.which is Which.ANY:
        ranked = [*told, *(o for o in [*ready, *found] if o not in told)]
        return list(dict.fromkeys(ranked))[: selector.count]
    if len(ready) == selector.count:
        return ready
    which = f"Which {phrase(selector)} do you mean?"
    return Question(which, whereabouts(found), "AMBIGUOUS", tuple(o.id for o in found))


def _nothing(selector: Selector, context: Context) -> Refusal:
    seen = ", ".join(sorted({o.phrase for o in context.scene.objects})) or "nothing"
    where = "" if selector.at is At("anywhere") else f" in the {selector.at.value.replace('_', ' ')}"
    other = "other " if selector.which in (Which.OTHER, Which.REST) else ""
    return Refusal(
        "NO_SUCH_OBJECT",
        f"I see no {other}{phrase(selector)}{where}; I see {seen}",
        "name something that is there",
    )


def _too_few(selector: Selector, found: list[SceneObject], context: Context) -> Refusal:
    del context
    few = f"I see only {len(found)} of the {selector.count} {phrase(selector)}s that are wanted"
    return Refusal("TOO_FEW_OBJECTS", few, "ask for as many as there are")


def phrase(looks: Looks) -> str:
    """The selector as it is said: `red cup`, `cup`, `red object`."""
    words = [looks.hue.value] if looks.hue.value != "any" else []
    return " ".join([*words, looks.kind.value if looks.kind.value != "any" else "object"])


def holds(condition: Condition, context: Context) -> bool | Refusal:
    """Is it so, as far as is seen?"""
    if condition.furniture is not None:
        truth = _SEEN[condition.furniture].evaluate(context.state)
        if truth is Truth.UNKNOWN:
            return Refusal(
                "NOT_SEEN", f"I cannot see whether the {condition.furniture.value.replace('_', ' is ')}"
            )
        return (truth is Truth.TRUE) is condition.holds
    found = matching(condition.there_is or Looks(), context)
    return bool(found) is condition.holds
