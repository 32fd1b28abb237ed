"""`tandem trace`: what is printed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from api.text import printable
from traces.diff import diff_runs
from traces.errors import TandemError
from traces.index import Filter, RunIndex, RunSummary
from traces.reader import read_run
from traces.run import RecordedSpan
from traces.verify import verify
from traces.why import evidence, find_span, why

FORMATS = ("otlp", "otlp-json", "html", "mcap", "rerun")
_MANY = 20
_ENDS = {"otlp-json": "otlp.jsonl", "html": "html", "mcap": "mcap", "rerun": "rrd"}


def find_runs(
    folder: Path, wanted: Filter, limit: int, *, rebuild: bool, console: Console
) -> list[RunSummary]:
    """Runs that fit, latest first, from an index that is brought up to date before."""
    if not folder.is_dir():
        return []
    with RunIndex(folder) as index, Progress(console=console, transient=True) as progress:
        task = progress.add_task("indexing", total=None, visible=False)

        def tell(done: int, of: int) -> None:
            progress.update(task, completed=done, total=of, visible=of > _MANY)

        index.rebuild(tell) if rebuild else index.refresh(tell)
        return [index.details(run) for run in index.find(wanted, limit)]


def run_json(run: RunSummary) -> dict[str, object]:
    """A run's line as data."""
    return {**asdict(run), "folder": str(run.folder)}


def list_table(runs: list[RunSummary]) -> Table:
    """Runs as a table."""
    table = Table("when", "outcome", "s", "command and folder", box=None, header_style="dim", padding=(0, 1))
    for run in runs:
        when = f"{run.when:%Y-%m-%d\n%H:%M}" if run.when else "?"
        seconds = f"{run.duration_s:.0f}" if run.duration_s is not None else ""
        outcome = Text.assemble(printable(run.outcome), "\n", (printable(run.code), "dim"))
        told = Text.assemble(
            printable(run.command[:200]), "\n", (printable(str(run.folder)), "dim"), overflow="fold"
        )
        table.add_row(when, outcome, seconds, told)
    return table


def verify_report(folder: Path, console: Console) -> bool:
    """Check a run and say what was found."""
    report = verify(folder)
    for finding in report.findings:
        console.print(f"  {finding.level.value} {finding.code}: {printable(finding.message)}", markup=False)
    for name in report.lost:
        console.print(f"  lost: {printable(name)}", markup=False)
    state = "whole" if report.ok else "DAMAGED"
    lost = f"{len(report.lost)} of them lost, " if report.lost else ""
    console.print(f"{state}: {report.spans} spans, {lost}{report.blobs} blobs", markup=False)
    return report.ok


def why_tree(folder: Path, wanted: str, console: Console) -> None:
    """Explain a span: what led to it, step by step."""
    run = read_run(folder)
    for reason in why(run, find_span(run, wanted)):
        indent = "  " * reason.depth
        more = f" and {reason.more} before it" if reason.more else ""
        words = _RELATIONS.get(reason.relation, reason.relation)
        line = Text(f"{indent}{words}", style="cyan")
        line.append(printable(reason.span.name), "bold").append(
            f" {reason.span.ref.span_id[:8]}{more}", "dim"
        )
        console.print(line)
        for fact in evidence(reason):
            console.print(Text(f"{indent}    {printable(fact)}"))


def diff_report(first: Path, second: Path, console: Console) -> bool:
    """Say where two runs part; true when they do not."""
    diff = diff_runs(read_run(first), read_run(second))
    for key, a, b in diff.facts:
        console.print(Text(f"  {key}: {printable(str(a))[:100]} | {printable(str(b))[:100]}", style="dim"))
    if diff.parting is None:
        console.print(f"the same: {diff.spans[0]} spans decide and end alike", markup=False)
        return True
    at = diff.parting
    console.print(Text(f"the first {at.number} spans are the same; then they part, by {at.whose}"))
    for span, value in zip((at.first, at.second), at.values, strict=True):
        console.print(Text(f"  {_where(span)} {at.key} {printable(str(value))[:200]}"))
    return False


def _where(span: RecordedSpan | None) -> str:
    return "(ended)" if span is None else f"{printable(span.name)} {span.ref.span_id[:8]}"


def export(folder: Path, to: str, out: Path | None, endpoint: str, console: Console) -> None:
    """Write or send a run in another form."""
    run = read_run(folder)
    target = out or folder.with_name(f"{folder.name}.{_ENDS.get(to, to)}")
    match to:
        case "otlp":
            from traces.otlp import send

            console.print(f"{send(run, endpoint)} spans sent, trace {run.trace_id}", markup=False)
            return
        case "otlp-json":
            from traces.otlp import write_json

            said = f"{write_json(run, target)} spans"
        case "html":
            from traces.html import write_html

            said = f"{write_html(run, target) / 1e6:.1f} MB"
        case "mcap":
            from traces.mcap_file import write_mcap

            said = f"{write_mcap(run, target)} messages"
        case _:
            from replay.rerun_file import write_rerun

            with Progress(console=console, transient=True) as progress:
                task = progress.add_task("re-simulating, for the true objects", total=None)
                chunks = write_rerun(
                    run, target, lambda done, of: progress.update(task, completed=done, total=of)
                )
            said = f"{chunks} chunks"
    console.print(f"{target}: {said}", markup=False)


def parse_day(text: str, name: str) -> datetime | None:
    """A day or moment in ISO form, UTC where it says nothing else. Raises `TandemError` (`DATE_UNKNOWN`)."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError as cause:
        raise TandemError(
            "DATE_UNKNOWN", f"{name} {text[:40]!r} is no date", fix="write 2026-11-25"
        ) from cause
    return when if when.tzinfo else when.replace(tzinfo=UTC)


_RELATIONS = {
    "": "",
    "part_of": "as part of ",
    "observed": "having seen in ",
    "caused_by": "because of ",
    "judges": "judging ",
    "reason": "by reason of ",
    "forked_from": "forked from ",
}
