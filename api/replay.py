"""`tandem replay`: what is loaded for it, and what is printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from api.assemble import load_modules, load_policies, make_planner
from api.options import RunOptions
from api.text import printable
from traces import names
from traces.errors import TandemError
from traces.reader import read_run

if TYPE_CHECKING:
    from agent.modules import Modules
    from replay.fork import Fork
    from traces.run import Run

OVERRIDES = ("policy", "planner", "weights", "seed")
# Those that are looked at anew each time; the others are fixed when a command begins.
BUDGETS = ("attempts", "plans", "questions", "refuted", "fruitless")


def recorded_options(run: Run) -> RunOptions:
    """The options that a run was started with. Raises `TandemError` (`REPLAY_INCOMPLETE`)."""
    try:
        config = json.loads(str(run.attributes[names.CONFIG]))
        known = {item.name for item in fields(RunOptions)}
        told = {key: value for key, value in config.items() if key in known}
        told["jpeg"] = tuple(told.get("jpeg") or ())
        told["faults"] = tuple(told.get("faults") or ())
        for name in ("weights", "calibration"):
            told[name] = Path(told[name]) if told.get(name) else None
        # Runs from before there were calibrations were watched by plain limits.
        told.setdefault("monitor", "plain")
        told["on_alarm"] = tuple(told.get("on_alarm") or ())
        return RunOptions(**{**told, "record": None})
    except (KeyError, TypeError, ValueError) as cause:
        raise TandemError(
            "REPLAY_INCOMPLETE", f"{run.folder} does not say how it was started ({cause!r:.100})"
        ) from cause


def parse_overrides(policy: str | None, planner: str | None, pairs: Iterable[str]) -> dict[str, str]:
    """What is to be different: two options and any `KEY=VALUE`. Raises `TandemError` (`OVERRIDE_UNKNOWN`)."""
    told: dict[str, str | None] = {"policy": policy, "planner": planner}
    for pair in pairs:
        key, _, text = pair.partition("=")
        told[key.strip()] = text.strip()
    known = (*OVERRIDES, *BUDGETS)
    for key, value in told.items():
        if key not in known or value == "":
            raise TandemError(
                "OVERRIDE_UNKNOWN",
                f"cannot set {key[:40]!r} so",
                fix=f"write KEY=VALUE, KEY one of {', '.join(known)}",
            )
    return {key: value for key, value in told.items() if value is not None}


def make_fork(chunk: int, modules: Modules, options: RunOptions, told: Mapping[str, str]) -> Fork:
    """The change that overrides ask for; modules that stay the same are the same objects."""
    from replay.fork import Fork
    from skills.router import PolicyKind

    then = modules
    if {"policy", "weights", "seed"} & told.keys():
        changed = _changed(options, told)
        if changed.policy not in ("auto", *PolicyKind):
            raise TandemError("OVERRIDE_UNKNOWN", f"there is no policy {changed.policy[:40]!r}")
        only = None if changed.policy == "auto" else PolicyKind(changed.policy)
        then = replace(then, policies=load_policies(changed), only=only)
    if "planner" in told:
        then = replace(then, planner=make_planner(told["planner"]))
    budgets = {key: int(_number(told[key], key)) for key in BUDGETS if key in told}
    return Fork(chunk, None if then is modules else then, budgets, told)


def _number(text: str, key: str) -> float:
    try:
        return float(text)
    except ValueError as cause:
        raise TandemError("OVERRIDE_UNKNOWN", f"{key} is a number, not {text[:40]!r}") from cause


def physics_report(folder: Path, console: Console) -> bool:
    """Re-simulate a run, with progress, and say whether every state came out the same."""
    from replay.physics import replay_physics

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("re-simulating", total=None)
        report = replay_physics(folder, lambda done, of: progress.update(task, completed=done, total=of))
    if report.equal:
        console.print(
            f"equal: {report.chunks} chunks, {report.sim_s:.1f} s simulated, every state hash the same"
        )
    else:
        console.print(Text(f"different: {printable(str(report.difference))}"))
    return report.equal


def decisions_report(folder: Path, told: Mapping[str, str], console: Console) -> bool:
    """Decide everything again, with progress, and say what comes out differently."""
    from replay.cassette import cassette
    from replay.decisions import replay_decisions

    run = read_run(folder)
    with cassette(run) as address, Progress(console=console, transient=True) as progress:
        options = _changed(recorded_options(run), told)
        task = progress.add_task("loading", total=None)
        modules = load_modules(replace(options, planner=address(options.planner)))
        progress.update(task, description="deciding again")
        report = replay_decisions(
            run, modules, lambda done, of: progress.update(task, completed=done, total=of)
        )
    counts = ", ".join(f"{count} of the {module}" for module, count in report.compared.items())
    total = sum(report.compared.values())
    if report.first is None:
        console.print(f"equal: all {total} decisions ({counts})")
        return True
    first = report.first
    console.print(
        Text(f"different: {total - report.equal} of {total} decisions ({counts})\nfirst: {first.module}, ")
        + Text(printable(first.label), "bold")
        + Text(f" ({first.ref.span_id[:8]}): {printable(str(first.difference))}")
    )
    return False


def fork_report(folder: Path, chunk: int, told: Mapping[str, str], target: Path, console: Console) -> bool:
    """Go on from a chunk, with progress, and say how it ended; true unless the command failed."""
    from api.terminal import outcome_panel
    from replay.cassette import cassette
    from replay.fork import fork

    run = read_run(folder)
    options = recorded_options(run)
    with cassette(run) as address, Progress(console=console, transient=True) as progress:
        task = progress.add_task("loading", total=None)
        modules = load_modules(replace(options, planner=address(options.planner)))
        change = make_fork(chunk, modules, options, told)

        def tell(done: int, until: int) -> None:
            new = done >= until
            words = f"going on, {done - until} new chunks" if new else "repeating"
            progress.update(task, description=words, completed=min(done, until), total=None if new else until)

        report = fork(run, modules, change, target, tell)
    console.print(outcome_panel(report.result, target))
    end = "the same physical state as" if report.same_end else "another physical state than"
    drift = f"; today's policy would have made {report.drifted} of the repeated chunks differently"
    console.print(
        f"forked at chunk {chunk}; ended in {end} the recorded run{drift if report.drifted else ''}",
        markup=False,
    )
    return report.result.outcome != "failed"


def _changed(options: RunOptions, told: Mapping[str, str]) -> RunOptions:
    """The options with what is overridden."""
    return replace(
        options,
        policy=told.get("policy", options.policy),
        planner=told.get("planner", options.planner),
        weights=Path(told["weights"]) if "weights" in told else options.weights,
        seed=int(_number(told.get("seed", str(options.seed)), "seed")),
    )
