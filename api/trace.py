"""`tandem trace`: what is printed."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.text import printable
from traces.index import list_runs
from traces.verify import verify


def list_table(folder: Path) -> Table:
    """Runs under a folder, latest first."""
    table = Table("when", "outcome", "s", "command and folder", box=None, header_style="dim", padding=(0, 1))
    for run in list_runs(folder):
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
