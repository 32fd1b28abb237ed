"""Why was this done? From a span along its causes to observation, rule, threshold and command.

Links and containment are walked backwards. What contains a span explains it too: a chunk belongs to an
attempt, which belongs to a plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from traces import names
from traces.errors import TandemError
from traces.facts import facts_of, kind_of, scores_of
from traces.run import LogRecord, RecordedSpan, Run, SpanRef

PART_OF = "part_of"
_MIN_ID = 4
_SHOWN = 6
# What a span is part of matters only where that has a reason of its own.
_WITH_PARENT = frozenset(
    {"invoke_agent", "chunk", "execute_tool", "tandem.evaluate", "chat", "tandem.perceive", "plan"}
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of an explanation.

    Attributes:
        depth: How many steps from what was asked about.
        relation: How it explains the step before: a `names.LinkKind`, or `part_of`; empty for the first.
        span: What explains.
        more: How many others explain in the same way and are left out.
    """

    depth: int
    relation: str
    span: RecordedSpan
    more: int = 0


def find_span(run: Run, wanted: str) -> RecordedSpan:
    """The span that a person means.

    Args:
        run: Where it is.
        wanted: The number of a chunk (counted over the whole command), a span's name where that is unique, or
            the beginning of its id.

    Raises:
        TandemError: `SPAN_UNKNOWN` when there is none, or more than one.
    """
    spans = [span for _, span in run.walk()]
    number = wanted.removeprefix("chunk:")
    if number.isdecimal() and len(number) < 8:
        found = [span for span in spans if span.attributes.get(names.CHUNK_ID) == int(number)]
    else:
        found = [span for span in spans if span.name == wanted]
        if not found and len(wanted) >= _MIN_ID:
            found = [span for span in spans if span.ref.span_id.startswith(wanted.lower())]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} spans are called {wanted[:60]!r}" if found else f"no span is called {wanted[:60]!r}"
    ids = ", ".join(span.ref.span_id[:8] for span in found[:8])
    fix = f"say which: {ids}" if found else "`tandem trace show` gives ids; a number is that of a chunk"
    raise TandemError("SPAN_UNKNOWN", what, fix=fix)


def why(run: Run, span: RecordedSpan) -> tuple[Reason, ...]:
    """Everything that led to a span, nearest first along each line; each span once."""
    known = {item.ref: item for _, item in run.walk()}
    seen: set[SpanRef] = set()
    told: list[Reason] = []
    stack = [Reason(0, "", span)]
    while stack:
        reason = stack.pop()
        if reason.span.ref in seen:
            continue
        seen.add(reason.span.ref)
        told.append(reason)
        following = list(_causes(reason, known))
        stack.extend(reversed(following))
    return tuple(told)


def _causes(reason: Reason, known: Mapping[SpanRef, RecordedSpan]) -> Iterator[Reason]:
    span, depth = reason.span, reason.depth + 1
    kinds: dict[str, list[RecordedSpan]] = {}
    for link in span.links:
        if link.target in known:
            kinds.setdefault(link.kind, []).append(known[link.target])
    if reason.relation == PART_OF:
        # How the whole ended, and why, is no cause of its parts.
        kinds.pop(names.LinkKind.REASON, None)
    for kind, targets in kinds.items():
        # A judgement rests on all the chunks before it; the last one tells enough.
        yield Reason(depth, kind, targets[-1], len(targets) - 1)
    parent = known.get(SpanRef(span.ref.trace_id, span.parent_id or ""))
    if parent is not None and kind_of(span) in _WITH_PARENT:
        yield Reason(depth, PART_OF, parent)


def evidence(reason: Reason) -> list[str]:
    """What a step rests on: its facts, the rule and the bound that decided, and the blobs to look at."""
    span = reason.span
    lines = [f"{_short(key)}: {value}" for key, value in facts_of(span) if value != ""]
    more = (names.PLAN_REASON, names.ROUTE_REASON, names.OUTCOME_MESSAGE, names.PERCEPTION_HELD)
    lines += [f"{_short(key)}: {span.attributes[key]}" for key in more if span.attributes.get(key)]
    if scores := scores_of(span):
        lines.append(f"scores: {', '.join(_score(name, *pair) for name, pair in scores.items())}")
    lines += [_log(log) for log in span.logs if log.name != names.STEP][:_SHOWN]
    told = [(key, value) for key, value in span.attributes.items() if names.is_blob(key)]
    blobs = [f"{_short(key)} {str(value)[:12]}" for key, value in told]
    if blobs:
        lines.append(f"blobs: {', '.join(blobs)}")
    return lines


def _score(name: str, score: float, bound: float | None) -> str:
    return f"{name} {score:.3g}" + (f" of {bound:.3g}" if bound else "")


def _log(log: LogRecord) -> str:
    facts = ", ".join(f"{_short(key)} {value}" for key, value in log.attributes.items())
    return f"{log.name}: {facts}"


def _short(key: str) -> str:
    return key.removeprefix("tandem.").removeprefix("gen_ai.").removesuffix(".ref")


@dataclass(frozen=True, slots=True)
class Resolved:
    """Whether a run's motion can be accounted for.

    Attributes:
        chunks: How many were given to the body.
        dangling: What is missing, one sentence each; empty when every chunk leads to observation, skill,
            plan and command.
    """

    chunks: int
    dangling: tuple[str, ...]


def resolve_all(run: Run) -> Resolved:
    """Follow every chunk to the observation, skill, plan and command that it came from."""
    chunks = run.named(names.CHUNK)
    dangling = []
    for chunk in chunks:
        kinds = {kind_of(reason.span) for reason in why(run, chunk)}
        missing = [kind for kind in ("execute_tool", "plan", "invoke_workflow") if kind not in kinds]
        missing += [key for key in (names.CHUNK_REF, names.PROPRIOCEPTION_REF) if not _whole(run, chunk, key)]
        if missing:
            dangling.append(f"{chunk.name} ({chunk.ref.span_id[:8]}) leads to no {', '.join(missing)}")
    return Resolved(len(chunks), tuple(dangling))


def _whole(run: Run, span: RecordedSpan, key: str) -> bool:
    try:
        return bool(run.blobs.get(str(span.attributes.get(key, ""))))
    except TandemError:
        return False
