"""`tandem planner calibrate`: from labelled commands to a calibration file."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from agent.planner.calibrate import COMMANDS, Proposer, calibrate
from agent.planner.calibration import FILE_VARIABLE, SHIPPED, write
from api.assemble import make_planner
from traces.errors import TandemError


def calibrate_asking(spec: str, alpha: float, commands: Path | None, out: Path | None) -> None:
    """Calibrate, write the file and say what it says.

    Raises:
        TandemError: `PLANNER_NOT_CALIBRATABLE`, `CALIBRATION_TOO_SMALL`, `COMMANDS_UNREADABLE`,
            `CALIBRATION_UNWRITABLE`, or what the planner raises.
    """
    planner, console = make_planner(spec), Console(stderr=True)
    if not isinstance(planner, Proposer):
        raise TandemError(
            "PLANNER_NOT_CALIBRATABLE",
            f"{spec} does not say how likely its plans are",
            fix="calibrate embedded, served:URL#MODEL or openai:URL#MODEL",
        )
    if out is None and spec != "embedded":
        raise TandemError(
            "CALIBRATION_UNWRITABLE",
            "the shipped calibration belongs to the embedded planner",
            fix=f"name a file with --out, and set {FILE_VARIABLE} to it",
        )
    with Progress(console=console, transient=True) as shown:
        task = shown.add_task("commands", total=None)
        try:
            told = calibrate(
                planner,
                alpha,
                commands or COMMANDS,
                lambda done, of: shown.update(task, completed=done, total=of),
            )
        except (OSError, ValueError, KeyError) as error:
            raise TandemError(
                "COMMANDS_UNREADABLE",
                f"{commands}: {error}",
                fix="write lines as in agent/planner/calibration/commands.yaml",
            ) from error
    target = out or SHIPPED
    write(target, told)
    threshold = told.threshold
    console.print(
        f"{target}: {threshold.basis}; acts on one plan of probability {threshold.value:.3f} or more"
    )
