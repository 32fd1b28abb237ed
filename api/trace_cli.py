"""The command line of `tandem trace`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.errors import FAILED, told_errors

trace_app = typer.Typer(
    no_args_is_help=True, help="Look at recorded runs: find them, read them, ask why, compare, export."
)
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]


def _filter(name: str, what: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(metavar=name, help=what)
    return option


@trace_app.command("ls")
def trace_ls(  # noqa: PLR0913
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where runs lie.")] = Path("runs"),
    outcome: Annotated[str, _filter("NAME", "Only runs that ended so: succeeded, failed, ...")] = "",
    skill: Annotated[str, _filter("NAME", "Only runs that tried this skill.")] = "",
    code: Annotated[str, _filter("CODE", "Only runs with this failure code, anywhere in them.")] = "",
    policy: Annotated[str, _filter("NAME", "Only runs with chunks of a policy whose name begins so.")] = "",
    planner: Annotated[str, _filter("NAME", "Only runs whose planner's name begins so.")] = "",
    text: Annotated[str, _filter("WORDS", "Only runs with these words in the instruction.")] = "",
    since: Annotated[str, _filter("DATE", "Only runs from this day on (UTC).")] = "",
    until: Annotated[str, _filter("DATE", "Only runs before this day (UTC).")] = "",
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 100,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Read every run again first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """List recorded runs, newest first.

    An index in the folder (`index.sqlite`) makes this quick; it may be deleted at any time.

    \b
    Examples:
      tandem trace ls
      tandem trace ls --outcome failed --skill pick --since 2026-11-01
      tandem trace ls --code POLICY_CRASH --json
    """  # noqa: D301 (the backspace keeps the lines apart)
    from api.trace import find_runs, list_table, parse_day, run_json
    from traces.index import Filter

    with told_errors():
        wanted = Filter(
            outcome=outcome,
            skill=skill,
            code=code,
            policy=policy,
            planner=planner,
            text=text,
            since=parse_day(since, "--since"),
            until=parse_day(until, "--until"),
        )
        runs = find_runs(folder, wanted, limit, rebuild=rebuild, console=Console(stderr=True))
        if as_json:
            sys.stdout.writelines(json.dumps(run_json(run)) + "\n" for run in runs)
        else:
            Console().print(list_table(runs))


@trace_app.command("show")
def trace_show(folder: RunFolder) -> None:
    """Show a run as a tree: what happened, when, and because of what."""
    from replay.view import view

    with told_errors():
        view(folder, Console())


@trace_app.command("why")
def trace_why(
    folder: RunFolder,
    span: Annotated[
        str,
        typer.Argument(metavar="SPAN", help="Number of a chunk, a span's name, or the beginning of its id."),
    ],
) -> None:
    """Ask why something was done: which observation, which rule, which threshold, which words.

    \b
    Examples:
      tandem trace why runs/NAME 57
      tandem trace why runs/NAME "invoke_workflow command"
      tandem trace why runs/NAME 3fa94c
    """  # noqa: D301 (as above)
    from api.trace import why_tree

    with told_errors():
        why_tree(folder, span, Console())


@trace_app.command("diff")
def trace_diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run's folder.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
) -> None:
    """Say where two runs part: the first decision or state that differs, and whose it is.

    Exit code 0 when they decide and end alike, 1 when they part.
    """
    from api.trace import diff_report

    with told_errors():
        same = diff_report(first, second, Console())
    if not same:
        raise typer.Exit(FAILED)


@trace_app.command("export")
def trace_export(
    folder: RunFolder,
    to: Annotated[str, typer.Option("--to", metavar="otlp|otlp-json|html|mcap|rerun", help="In which form.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default beside the run.")] = None,
    endpoint: Annotated[
        str, typer.Option(metavar="URL", help="For otlp; default OTEL_EXPORTER_OTLP_ENDPOINT.")
    ] = "",
) -> None:
    """Bring a run into another form.

    \b
    otlp       to any OpenTelemetry backend (Jaeger, Phoenix, ...)
    otlp-json  a file of OTLP/JSON lines
    html       one page that opens from disk, with frames, scores and a scrubber
    mcap       for Foxglove; needs tandem-robot[mcap]
    rerun      for Rerun, with the true objects from re-simulation; needs tandem-robot[rerun]
    """  # noqa: D301 (as above)
    from api.trace import FORMATS, export

    if to not in FORMATS:
        raise typer.BadParameter(f"{to!r} is not one of {', '.join(FORMATS)}", param_hint="--to")
    with told_errors():
        export(folder, to, out, endpoint, Console())


@trace_app.command("verify")
def trace_verify(folder: RunFolder) -> None:
    """Check a run: every record whole, every span ended or known as lost, every blob there and unchanged."""
    from api.trace import verify_report

    with told_errors():
        ok = verify_report(folder, Console())
    if not ok:
        raise typer.Exit(FAILED)
