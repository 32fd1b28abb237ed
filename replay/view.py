"""R0: look at a run. Reads, never writes, runs nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from traces import names
from traces.facts import facts_of, near_scores
from traces.reader import salvage_run
from traces.run import LogRecord, RecordedSpan, Run, SpanStatus

_MARK = {
    SpanStatus.OK: ("✓", "green"),
    SpanStatus.ERROR: ("✗", "red"),
    SpanStatus.LOST: ("?", "yellow"),
}
_SHOWN_LOGS = frozenset(names.LOGS) - {names.STEP}
_MAX_TEXT = 100
_MAX_LOGS = 12
# Chunks whose scores stay below this share of their bounds are calm.
_CALM_SHARE = 0.9
# A run of calm chunks longer than this is told in one line.
_MAX_CALM = 3


def view(folder: Path, console: Console) -> None:
    """Print a run's timeline: what was done when, how it ended, and what caused it.

    A damaged run is shown up to the damage, and says so.

    Raises:
        TandemError: `RUN_NOT_FOUND`, `TRACE_SCHEMA`, or `TRACE_CORRUPT` when nothing can be read.
    """
    salvage = salvage_run(folder)
    console.print(_head(salvage.run))
    numbers = _number(salvage.run)
    for root in salvage.run.roots:
        console.print(_tree(root, salvage.run, numbers))
    for log in salvage.run.logs:
        console.print(_log_line(log, salvage.run))
    for fault in salvage.faults:
        console.print(Text(f"damaged: {fault}", style="bold red"))
    if salvage.run.torn_bytes:
        console.print(Text("the last write was cut short and is left out", style="yellow"))
    if not salvage.run.closed:
        console.print(Text("this run was not closed: it was killed, or is still going on", style="yellow"))


def _head(run: Run) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    when = datetime.fromtimestamp(run.started_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    rows = [("run", str(run.folder)), ("trace", _short(run.trace_id)), ("began", when)]
    rows += [
        (_short(key.removeprefix("tandem.")), _short(value)) for key, value in sorted(run.attributes.items())
    ]
    for label, value in rows:
        table.add_row(Text(label, style="dim"), Text(value))
    return Group(table, "")


def _number(run: Run) -> dict[str, str]:
    """A short name for every span that is somebody's cause: `#1`, `#2`, ..."""
    causes = {link.target.span_id for _, span in run.walk() for link in span.links}
    ordered = [span.ref.span_id for _, span in run.walk() if span.ref.span_id in causes]
    return {span_id: f"#{number}" for number, span_id in enumerate(ordered, 1)}


def _tree(root: RecordedSpan, run: Run, numbers: dict[str, str]) -> Tree:
    tree = Tree(_line(root, run, numbers), guide_style="dim")
    stack = [(root, tree)]
    while stack:
        span, branch = stack.pop()
        for log in [log for log in span.logs if log.name in _SHOWN_LOGS][:_MAX_LOGS]:
            branch.add(_log_line(log, run))
        calm: list[RecordedSpan] = []
        for child in span.children:
            if _is_quiet(child):
                continue
            if _is_calm(child):
                calm.append(child)
                continue
            _flush(calm, branch, run, numbers)
            stack.append((child, branch.add(_line(child, run, numbers))))
        _flush(calm, branch, run, numbers)
    return tree


def _is_quiet(span: RecordedSpan) -> bool:
    """The body's part of a chunk, as it should be."""
    return span.name == names.BODY_EXECUTE and span.status is SpanStatus.OK


def _is_calm(span: RecordedSpan) -> bool:
    """A chunk that went through as it was asked for."""
    return (
        span.name.startswith("chunk ")
        and span.status is SpanStatus.OK
        and not (span.logs or any(not _is_quiet(child) for child in span.children))
        and span.attributes.get(names.GUARD_DECISION) in (None, "pass")
        and not near_scores(span, _CALM_SHARE)
    )


def _flush(calm: list[RecordedSpan], branch: Tree, run: Run, numbers: dict[str, str]) -> None:
    """Tell the chunks collected so far, each or in one line, and forget them."""
    if len(calm) <= _MAX_CALM:
        for span in calm:
            branch.add(_line(span, run, numbers))
    else:
        first, last = calm[0], calm[-1]
        counts = [span.attributes.get(names.CHUNK_ROWS_EXECUTED) for span in calm]
        rows = sum(count for count in counts if isinstance(count, int))
        line = _clock(first.start_ns, run)
        line.append("✓ ", "green").append(f"{first.name} … {last.name.removeprefix('chunk ')}", "bold")
        line.append(f"  {len(calm)} chunks, {rows} rows, all passed the guard", "dim")
        branch.add(line)
    calm.clear()


def _line(span: RecordedSpan, run: Run, numbers: dict[str, str]) -> Text:
    mark, style = _MARK[span.status]
    line = _clock(span.start_ns, run)
    line.append(f"{mark} ", style).append(_short(span.name), "bold")
    line.append(f" {span.ref.span_id[:6]}", "dim")
    if span.ref.span_id in numbers:
        line.append(f" {numbers[span.ref.span_id]}", "cyan")
    took = span.duration_s
    line.append("  lost" if took is None else f"  {took:.3f} s", "yellow" if took is None else "dim")
    facts = [_short(value) for _, value in facts_of(span)]
    if any(facts):
        line.append("  " + " · ".join(fact for fact in facts if fact))
    for score in near_scores(span):
        line.append(f"  {_short(score)}", "yellow")
    if span.status is SpanStatus.ERROR:
        line.append(f"  {_short(span.code)}: {_short(span.message)}", "red")
    causes = sorted(
        {f"{_short(link.kind)} {numbers.get(link.target.span_id, 'another run')}" for link in span.links}
    )
    if causes:
        line.append("  ← " + ", ".join(causes), "cyan")
    return line


def _log_line(log: LogRecord, run: Run) -> Text:
    facts = ", ".join(
        _short(f"{key.removeprefix('tandem.')}={value}") for key, value in log.attributes.items()
    )
    return (
        _clock(log.time_ns, run)
        .append("• ", "magenta")
        .append(_short(log.name), "magenta")
        .append(f"  {facts}")
    )


def _clock(ns: int, run: Run) -> Text:
    return Text(f"{(ns - run.started_ns) / 1e9:9.3f} ", style="dim").append("", "default")


def _short(value: object) -> str:
    """One line of printable text, whatever a foreign trace may hold."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
