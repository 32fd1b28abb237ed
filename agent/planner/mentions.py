"""What an instruction names: things, places and furniture, each read into a selector and set aside.

The language model then reads the sentence with a numbered mark in place of each mention, so that it learns
how things are asked for and never which words there are for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from agent.planner.canon import fillers, plain, unwrapped
from agent.planner.lexicon import Noun, any_of, lexicon, mention_pattern
from agent.planner.logical_form import MAX_COUNT, At, Hue, Kind, Looks, Selector, Side, To, Which

MAX_MENTIONS = 12
OBJECTS = frozenset({"the", "all", "any", "no", "it", "other", "rest"})
SORTS = (*sorted(OBJECTS), "place", "table", "side", "drawer", "lamp", "foreign", "alien", "living")
_TOKEN = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|[.,;:!?]")


_NONE = Selector()


@dataclass(frozen=True, slots=True)
class Mention:
    """Something that is named.

    Attributes:
        words: As it was said.
        start: Where it begins in the spaced text.
        sort: One of `SORTS`: what the language model is told of it.
        selector: For things: which are meant.
        place: For places and sides: where; `nowhere` for places that are not known.
        vague: It says `some`, `many` and the like: nobody can tell how many.
        elliptical: It leaves the kind to what was named before, as `the blue one` does.
    """

    words: str
    sort: str
    start: int = 0
    selector: Selector = _NONE
    place: To = To.NOWHERE  # type: ignore[attr-defined]
    vague: bool = False
    elliptical: bool = False


@dataclass(frozen=True, slots=True)
class Marked:
    """A text with its mentions set aside.

    Attributes:
        text: Words, with ` N SORT ` in place of mention N (from 1), written as `<N> <sort>`.
        mentions: In the order in which they are said.
        words: The words that remain.
    """

    text: str
    mentions: tuple[Mention, ...]
    words: tuple[str, ...]


def spaced(text: str) -> str:
    """Small letters, words and marks separated by single spaces; without words that mean nothing at all."""
    tokens = _TOKEN.findall(text.lower().replace("\u2019", "'").replace("\u2018", "'"))
    return " ".join(token for token in tokens if token not in fillers())


def mark(text: str) -> Marked:
    """Set the mentions of a spaced text aside, and put the rest into plain words."""
    pieces: list[str] = []
    mentions: list[Mention] = []
    at = 0
    text = unwrapped(text)
    for found in mention_pattern().finditer(text):
        mention = _read(found)
        if mention is None:
            continue
        between = text[at : found.start()].split()
        if len(mentions) == MAX_MENTIONS:
            break
        mentions.append(replace(_completed(mention, mentions), start=found.start()))
        pieces += [*between, f"<{len(mentions)}>", f"<{mention.sort}>"]
        at = found.end()
    marked = plain(" ".join([*pieces, *text[at:].split()]))
    words = tuple(word for word in marked.split() if not word.startswith("<"))
    return Marked(marked, _inherited(mentions), words)


def _read(found: re.Match[str]) -> Mention | None:
    """The mention that a match is."""
    words = found.group(0)
    match sort := _sort(found):
        case "skip":
            return None
        case "place":
            return Mention(words, "place", place=To(lexicon().places[_tail(words, lexicon().places)]))
        case "table" | "drawer" | "lamp":
            return Mention(words, sort, place=To(sort) if sort != "lamp" else To("nowhere"))
        case "side":
            return Mention(words, "side", place=To("left" if "left" in words else "right"))
        case "alien":
            return Mention(words, "alien")
        case "rest":
            return Mention(words, "rest", selector=Selector(which=Which.REST))
        case "it" | "them":
            return Mention(words, "it", selector=Selector(which=Which.IT))
        case "every":
            return _everything(found, words)
        case "bare":
            return _bare(found, words)
    return _thing(found, words)


def _sort(found: re.Match[str]) -> str:
    groups = found.groupdict()
    top = ("skip", "rest", "place", "drawer", "lamp", "table", "side", "every", "alien", "bare", "them", "it")
    return next((name for name in top if groups[name] is not None), "thing")


def _tail(words: str, known: dict[str, str]) -> str:
    """The longest known phrase that some words end with."""
    split = words.split()
    return next(p for k in range(len(split)) if (p := " ".join(split[k:])) in known)


@lru_cache(maxsize=4096)
def _hue(text: str | None) -> Hue:
    """The colour in some words; `any` for none."""
    hues = lexicon().hues
    padded = f" {text or ''} "
    for phrase in sorted(hues, key=len, reverse=True):
        if f" {phrase} " in padded:
            return Hue(hues[phrase])
    return Hue("any")


def _everything(found: re.Match[str], words: str) -> Mention:
    tail = words.removeprefix(found["everything"])
    unwanted = _hue(found["everynot"])
    but = (Looks(hue=unwanted),) if unwanted is not Hue("any") else ()
    hue = Hue("any") if but else _hue(tail)
    return Mention(words, "all", selector=Selector(which=Which.ALL, hue=hue, but=but))


def _bare(found: re.Match[str], words: str) -> Mention:
    if found["bareother"]:
        return Mention(words, "other", selector=Selector(which=Which.OTHER), elliptical=True)
    return Mention(words, "the", selector=Selector(hue=_hue(found["barehue"])), elliptical=True)


def _thing(found: re.Match[str], words: str) -> Mention:
    noun = lexicon().nouns[found["noun"]]
    if noun.sort in ("foreign", "living"):
        return Mention(words, noun.sort)
    determiner, mods = (found["det"] or "").strip(), (found["mods"] or "").strip()
    if noun.sort == "ellipsis" and not ((determiner and determiner not in lexicon().numbers) or mods):
        return Mention(words, "any", selector=Selector(which=Which.ANY), vague=True, elliptical=True)
    before = words[: words.rindex(found["noun"])]
    after = words[len(before) + len(found["noun"]) :]
    unwanted = _hue(found["thingnot"])
    but = (Looks(hue=unwanted),) if unwanted is not Hue("any") else ()
    hue = _hue(mods) if _hue(mods) is not Hue("any") or but else _hue(after)
    side = re.search(r"\b(left|right)", f"{mods} {found['beside'] or ''}")
    which, count, vague = _quantity(determiner, noun)
    other = re.search(r"\b(?:other|remaining)\b", mods) is not None
    if other:
        which = Which.REST if noun.many else Which.OTHER
    selector = Selector(
        kind=Kind(noun.name if noun.sort == "kind" else "any"),
        hue=hue,
        side=Side(side.group(1)) if side else Side.ANY,
        which=which,
        count=count,
        but=but,
    )
    sort = "no" if determiner == "no" else "other" if other else which.value
    return Mention(words, sort, selector=selector, vague=vague, elliptical=noun.sort == "ellipsis")


def _quantity(determiner: str, noun: Noun) -> tuple[Which, int, bool]:
    """Which and how many of them, and whether that is vague."""
    words = determiner.split()
    numbers = [lexicon().numbers[w] for w in words if w in lexicon().numbers]
    count = min(numbers[0] if numbers else 1, MAX_COUNT)
    if _vague().search(determiner):
        return Which.ANY, 1, True
    if "both" in words:
        return Which.THE, 2, False
    if {"every", "each", "all"} & set(words):
        return (Which.THE, count, False) if numbers else (Which.ALL, 1, False)
    if numbers and words[0] in ("the", "my", "your", "our", "these", "those"):
        return Which.THE, count, False
    if numbers or words[:1] in (["a"], ["an"], ["any"]) or "no" in words:
        many = words[:1] == ["any"] and not numbers and noun.many
        return (Which.ALL if many else Which.ANY), count, False
    stuff = noun.many is None and noun.sort == "kind" and noun.name == "any"
    return (Which.ALL if noun.many or stuff else Which.THE), 1, False


@cache
def _vague() -> re.Pattern[str]:
    return re.compile(rf"\b{any_of(lexicon().phrases['vague'])}\b")


def _completed(mention: Mention, before: list[Mention]) -> Mention:
    """An ellipsis with the kind that was named last."""
    if not mention.elliptical or mention.selector.kind is not Kind("any"):
        return mention
    named = [m.selector.kind for m in before if m.sort in OBJECTS and m.selector.kind is not Kind("any")]
    if not named:
        return mention
    return replace(mention, selector=mention.selector.model_copy(update={"kind": named[-1]}))


def _inherited(mentions: list[Mention]) -> tuple[Mention, ...]:
    """`the red and the blue cup`: what is still without a kind takes that of the next mention."""
    done = list(mentions)
    for k in range(len(done) - 2, -1, -1):
        this, following = done[k], done[k + 1]
        bare = this.elliptical and this.selector.kind is Kind("any") and " one" not in this.words
        if bare and following.sort in OBJECTS:
            done[k] = replace(
                this, selector=this.selector.model_copy(update={"kind": following.selector.kind})
            )
    return tuple(done)


def located(looks: Looks, at: To | None) -> Looks:
    """The same, lying there."""
    return looks if at is None else looks.model_copy(update={"at": At(at.value)})
