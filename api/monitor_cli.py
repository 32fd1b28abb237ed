"""`tandem calibrate` and `tandem monitor stale | report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from api.errors import FAILED, told_errors

if TYPE_CHECKING:
    from vla_low_level.monitoring.calibration import Calibration

monitor_app = typer.Typer(no_args_is_help=True, help="The monitor: is it still right, and how good is it?")

Rollouts = Annotated[Path, typer.Argument(metavar="ROLLOUTS", help="Folder of kept attempts.")]
Kinds = Annotated[
    str, typer.Option("--policy", metavar="both|specialist|generalist", help="Whose calibration.")
]


def calibrate(
    rollouts: Rollouts,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the calibration goes.")],
    policy: Kinds = "both",
    alpha: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Share of good attempts that may be stopped.")
    ] = 0.05,
    arm: Annotated[str, typer.Option("--arm", metavar="panda|kuka_iiwa|xarm6", help="Which arm.")] = "panda",
    weights: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A generalist of your own; default the shipped one.")
    ] = None,
) -> None:
    """Calibrate the monitor from attempts that went well: what is normal, and where to stop.

    Attempts are kept by `python -m scenarios.monitor_rollouts`. Those that failed, or in which something was
    wrong, are left out. At 5 % it takes at least 19 good ones, and as many again to say what is normal.

    \b
    Examples:
      tandem calibrate build/monitor --out build/calibration
      tandem calibrate build/monitor --out build/calibration --policy specialist --alpha 0.1
      tandem run "clear the table" --calibration build/calibration
    """  # noqa: D301 (the backspace keeps the lines apart)
    from api.assemble import load_policies
    from api.monitoring import make_calibration
    from api.options import RunOptions
    from skills.router import PolicyKind
    from vla_low_level.monitoring.keep import load_all

    if policy not in ("both", *PolicyKind):
        raise typer.BadParameter(f"{policy!r} is not both, specialist or generalist", param_hint="--policy")
    console = Console()
    with told_errors():
        acting = "auto" if policy == "both" else policy
        policies = load_policies(RunOptions("", policy=acting, arm=arm, weights=weights))
        for kind, acts in policies.items():
            if policy not in ("both", kind.value):
                continue
            with console.status(f"reading attempts of the {kind.value}"):
                kept = load_all(rollouts, f"{kind.value}-*.npz")
                made = make_calibration(kept, acts, arm, alpha)
            made.save(out / kind.value)
            console.print(f"{kind.value}: {_words(made)}; written to {out / kind.value}")


def _words(made: Calibration) -> str:
    pac = "none with so few" if made.act_pac is None else f"{made.act_pac:.2f}"
    return (
        f"normal from {made.card.fitted} good attempts, bounds from {len(made.card.scores)} others: "
        f"warn above {made.warn:.2f}, act above {made.act:.2f} (PAC bound {pac})"
    )


@monitor_app.command()
def stale(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Recorded runs, or folders of them.")],
    calibration: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A calibration of your own; default the shipped one.")
    ] = None,
) -> None:
    """Say whether successful attempts of recent runs still look like those of the calibration.

    Exit code 1 when one is stale. A calibration that is still right is called stale once in a hundred times.

    \b
    Examples:
      tandem monitor stale runs
      tandem monitor stale runs/monday runs/tuesday --calibration build/calibration
    """  # noqa: D301 (as above)
    from api.monitoring import SHIPPED
    from api.stale import watch_runs

    with told_errors():
        found = watch_runs(runs, calibration or SHIPPED)
    for kind, told in found.items():
        typer.echo(f"{kind}: {told.words}")
    if any(told.stale for told in found.values()):
        raise typer.Exit(FAILED)


@monitor_app.command()
def report(
    rollouts: Rollouts,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Default: report/ beside them.")] = None,
) -> None:
    """Draw how well the monitor tells good attempts from bad ones: pictures, and a page that shows them.

    ROC, scores over time with the bound, delays from a fault to its alarm, and how often help is needed
    against how often it succeeds. Needs matplotlib: pip install 'tandem-robot[report]'.

    \b
    Example:
      tandem monitor report build/monitor --out build/monitor/report
    """  # noqa: D301 (as above)
    from api.monitor_report import write_report

    with told_errors():
        page = write_report(rollouts, out or rollouts / "report")
    typer.echo(f"written to {page}")
