"""The command line: `tandem run | plan | serve | trace | replay | faults | data | train`, and more."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from api.errors import FAILED, INTERRUPTED, told_errors
from api.faults_cli import faults
from api.monitor_cli import calibrate, monitor_app
from api.planner_cli import planner_app
from api.policy_cli import data_app, train, train_choice
from api.serve_cli import command, mcp, serve
from api.text import printable
from api.trace_cli import RunFolder, trace_app

if TYPE_CHECKING:
    from agent.outcome import CommandResult
    from api.options import RunOptions

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="One thinks, one acts: tell a robot what to do, watch it, and see why it did what it did.",
    epilog='Try: tandem run "clear the table"',
)
app.add_typer(trace_app, name="trace")
app.add_typer(data_app, name="data")
app.add_typer(planner_app, name="planner")
app.add_typer(monitor_app, name="monitor")
app.command()(train)
app.command()(train_choice)
app.command()(serve)
app.command()(command)
app.command()(mcp)
app.command()(calibrate)
app.command()(faults)

Words = Annotated[
    str, typer.Argument(metavar="TEXT", help='What to do, in plain words: "put the red cup in the sink".')
]
SceneName = Annotated[
    str,
    typer.Option(
        "--scene",
        metavar="NAME|FILE",
        help="What is on the table: table, kitchen, cubes, one_of_each, two_red_cups, or a YAML file.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, metavar="N", help="Same seed, same run.")]
PlannerSpec = Annotated[
    str,
    typer.Option(
        "--planner",
        metavar="embedded|subgoal|openai[+camera]:URL#MODEL",
        help="Who understands the words; subgoal: one skill at a time; +camera: sends the picture.",
    ),
]
ArmName = Annotated[str, typer.Option("--arm", metavar="panda|kuka_iiwa|xarm6", help="Which arm.")]
FaultList = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME:MAGNITUDE@ONSETs+DURATIONs",
        help="Make something go wrong, unknown to the robot; `tandem faults` lists what. Repeatable.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")
]


@app.command()
def run(  # noqa: PLR0913
    text: Words,
    scene: SceneName = "table",
    seed: Seed = 0,
    planner: PlannerSpec = "embedded",
    arm: ArmName = "panda",
    policy: Annotated[str, typer.Option(metavar="auto|specialist|generalist", help="Who moves.")] = "auto",
    weights: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A generalist of your own; default the shipped one.")
    ] = None,
    no_ask: Annotated[
        bool, typer.Option("--no-ask", help="Never ask a person; needing one is an outcome.")
    ] = False,
    record: Annotated[Path | None, typer.Option(help="Folder of this run; default under runs/.")] = None,
    realtime: Annotated[
        bool,
        typer.Option("--realtime", help="The arm keeps its own clock and does not wait for thinking."),
    ] = False,
    monitor: Annotated[
        str,
        typer.Option(
            metavar="act|watch|plain|off|strict",
            help="act on calibrated alarms; only watch; plain limits; off; strict: act, or refuse to start.",
        ),
    ] = "act",
    calibration: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A calibration of your own; default the shipped one.")
    ] = None,
    on_alarm: Annotated[
        str, typer.Option(metavar="RUNG,...", help="What alarms lead to: retry, replan, ask, stop.")
    ] = "",
    jpeg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CAMERA[=QUALITY]",
            help="Record this camera as JPEG: smaller, but deciding again from it is not exact. Repeatable.",
        ),
    ] = None,
    fault: FaultList = None,
    as_json: AsJson = False,
) -> None:
    """Do it: perceive, plan, act, check, and record everything.

    On a terminal, a line typed while it works corrects it: "no, the blue one", "not the plate", "stop".
    Exit code 0 only when the command succeeded, 1 for any other outcome, 130 after Ctrl-C.

    \b
    Examples:
      tandem run "clear the table"
      tandem run "put the red cup in the sink" --scene two_red_cups --seed 7
      tandem run "sort the cubes by colour" --scene cubes --no-ask --json
      tandem run "open the drawer" --scene kitchen --arm xarm6 --planner subgoal
      tandem run "clear the table" --planner openai:http://HOST:8000/v1#MODEL
      tandem run "clear the table" --fault camera_shift:0.05@3s --fault gripper_weak@8s+2s
    """  # noqa: D301 (the backspace keeps the lines apart)
    from api.options import RunOptions

    if policy not in ("auto", "specialist", "generalist"):
        raise typer.BadParameter(f"{policy!r} is not auto, specialist or generalist", param_hint="--policy")
    options = RunOptions(
        *(text, scene, seed, planner, policy, weights, arm, record),
        jpeg=tuple(jpeg or ()),
        clock="realtime" if realtime else "lockstep",
        faults=tuple(fault or ()),
        monitor=monitor,
        calibration=calibration,
        on_alarm=tuple(filter(None, on_alarm.split(","))),
    ).settled()
    console = Console(stderr=as_json, quiet=as_json and not sys.stderr.isatty())
    with told_errors(as_json=as_json, options=options):
        result, interrupted = _run(options, console, ask=not no_ask and sys.stdin.isatty())
        _show_result(result, options.folder, console, as_json=as_json)
        if result.outcome != "succeeded":
            raise typer.Exit(INTERRUPTED if interrupted else FAILED)


@app.command()
def plan(  # noqa: PLR0913
    text: Words,
    scene: SceneName = "table",
    seed: Seed = 0,
    planner: PlannerSpec = "embedded",
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Say which words led to which steps, and what else may have been meant."
        ),
    ] = False,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print the graph as a Mermaid flowchart.")
    ] = False,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the graph into a PNG file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what would be done, without moving: perceive the scene and plan on it.

    \b
    Examples:
      tandem plan "sort the cubes by colour" --scene cubes
      tandem plan "clear the table" --scene my_table.yaml --json
      tandem plan "put the cups in the sink, then open the drawer" --scene kitchen --explain
    """  # noqa: D301 (as above)
    from api.options import RunOptions

    console = Console(stderr=as_json, quiet=as_json)
    with told_errors(as_json=as_json):
        from api.plan import Shown, show_plan

        shown = Shown(as_json, explain, mermaid, png)
        understood = show_plan(RunOptions(text, scene, seed, planner), console, shown)
    if not understood:
        raise typer.Exit(FAILED)


@app.command()
def replay(  # noqa: PLR0913
    folder: RunFolder,
    level: Annotated[
        str,
        typer.Option(
            metavar="view|physics|decisions",
            help="view: read it; physics: re-simulate and compare; decisions: decide again and compare.",
        ),
    ] = "view",
    chunk: Annotated[
        int | None,
        typer.Option("--from", min=0, metavar="CHUNK", help="Go on from this chunk in closed loop."),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="auto|specialist|generalist", help="Who moves from there on.")
    ] = None,
    planner: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Who plans from there on, as in `tandem run`.")
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="weights, seed (of the policy), or a budget such as attempts."
        ),
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Folder of the new run; default beside RUN.")] = None,
) -> None:
    """Replay a recorded run: look at it, re-simulate it, decide it again, or go on from inside it.

    Level physics rebuilds the world in a fresh process, applies the recorded chunks again, and compares
    the hash of the whole physical state after every one of them. Level decisions gives the recorded
    observations to today's perception, planner and policy; answers of a language model come from the
    record. With --from the run is repeated up to a chunk and goes on from there as a new run.

    \b
    Examples:
      tandem replay runs/NAME --level physics
      tandem replay runs/NAME --level decisions --set weights=build/mine
      tandem replay runs/NAME --from 40 --policy generalist
      tandem replay runs/NAME --from 40 --set attempts=1 --record runs/what-if
    """  # noqa: D301 (as above)
    if level not in ("view", "physics", "decisions"):
        raise typer.BadParameter(f"{level!r} is not view, physics or decisions", param_hint="--level")
    with told_errors():
        if chunk is None and level == "view":
            from replay.view import view

            view(folder, Console())
            return
        from api.replay import decisions_report, fork_report, parse_overrides, physics_report

        told = parse_overrides(policy, planner, override or [])
        if chunk is not None:
            target = record or folder.with_name(f"{folder.name}-from-{chunk}")
            good = fork_report(folder, chunk, told, target, Console())
        elif level == "physics":
            good = physics_report(folder, Console())
        else:
            good = decisions_report(folder, told, Console())
    if not good:
        raise typer.Exit(FAILED)


def _run(options: RunOptions, console: Console, *, ask: bool) -> tuple[CommandResult, bool]:
    """Run with the terminal watching; the result, and whether Ctrl-C was pressed."""
    from api.interrupt import Interrupt

    console.print(_heading(options))
    keyboard = threading.Lock()
    with Interrupt() as interrupt, contextlib.ExitStack() as stack:
        with console.status("waking up"):
            from agent.executive import Company
            from api.asker import TerminalAsker
            from api.assemble import open_session
            from api.bystander import Bystander
            from api.terminal import Terminal

            asker = TerminalAsker(console, lambda: interrupt.pressed, keyboard) if ask else None
            company = Company(ask=asker, listener=Terminal(console))
            session = stack.enter_context(open_session(options, company))
            interrupt.hand_over(session)
        for note in session.notes:
            console.print(Text(f"  ! {note}", style="yellow"))
        if sys.stdin.isatty():
            console.print(Text("  type a line to correct it while it works; Ctrl-C cancels", style="dim"))
            stack.enter_context(Bystander(console, keyboard, session.executive.correct))
        return session.executive.run(options.instruction), interrupt.pressed


def _heading(options: RunOptions) -> Text:
    said = printable(options.instruction[:200]).strip()
    chosen = f"scene {options.scene}, seed {options.seed}, planner {options.planner}, policy {options.policy}"
    if options.faults:
        chosen += f", faults {' '.join(options.faults)}"
    return Text.assemble(("▸ ", "cyan"), (said, "bold"), "\n  ", (printable(chosen), "dim"))


def _show_result(result: CommandResult, folder: Path, console: Console, *, as_json: bool) -> None:
    from api.terminal import outcome_panel

    if as_json:
        sys.stdout.write(json.dumps({**result.model_dump(mode="json"), "trace": str(folder)}) + "\n")
    else:
        console.print(outcome_panel(result, folder))


def main() -> None:
    """Entry point."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character shows its number; nothing fails over it.
            stream.reconfigure(errors="backslashreplace")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    app(prog_name="tandem")


if __name__ == "__main__":
    main()
