"""Rollouts for the monitor: `python -m scenarios.monitor_rollouts --first 8000000 --scenes 100`.

Every scene is played by the real perception, policy, controller and guard, several at a time, with the
monitor silent: what each chunk would have told it is written down, with what the simulator says came of the
attempt. All detectors are then judged on the same rollouts. A scene that is on disk is not played again:
whatever ended a run, the same command goes on from there.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from agent.perception.detector import Detector
from agent.perception.perceive import perceive
from scenarios.monitor_bench import Bench, Rollout, StageRobot, attempt, skill_of
from scenarios.monitor_faults import BEFOREHAND, FAULT_SEEDS, FAULTS, faults_for, name_of
from sim.demos.chain import draw_stage, draw_tasks
from sim.demos.judge import look
from sim.demos.tasks import Kind
from sim.faults.catalogue import CATALOGUE
from sim.faults.kinds import Site
from sim.faults.spec import Injection
from skills.router import PolicyKind
from vla_low_level.monitoring.keep import Label, save
from vla_low_level.policies.specialist import SpecialistPolicy
from vla_low_level.policy import Policy

OUT = Path("build/monitor")
SPECIALIST_KINDS = (Kind.PICK, Kind.PLACE_IN)
DRAWS = 4
ONSET_S = (0.4, 2.5)


@cache
def _policy(kind: PolicyKind) -> Policy:
    import torch

    torch.set_num_threads(1)
    if kind is PolicyKind.SPECIALIST:
        return SpecialistPolicy()
    from vla_low_level.vla.policy import VLAPolicy

    return VLAPolicy.from_pretrained()


@cache
def _detector() -> Detector:
    return Detector.from_pretrained()


def play(seed: int, kind: PolicyKind, fault: str = "") -> Iterator[tuple[Rollout, float]]:
    """The attempts of one scene, and when a fault began, s after the attempt's beginning.

    What is drawn first is tried, a pick with what becomes of the object. A fault comes in one of the two;
    what is wrong with eyes, or beforehand, in the first.
    """
    stage, rng = draw_stage(seed, "panda")
    if stage is None:
        return
    try:
        allowed = SPECIALIST_KINDS if kind is PolicyKind.SPECIALIST else tuple(Kind)
        tasks = next((t for t in (draw_tasks(stage, rng) for _ in range(DRAWS)) if _all(t, allowed)), [])
        if not tasks:
            return
        begin_s = float(np.random.default_rng([seed, 0xFA]).uniform(*ONSET_S))
        beforehand = name_of(fault) in BEFOREHAND
        early = beforehand or (bool(fault) and CATALOGUE[name_of(fault)].site is Site.PERCEIVER)
        when = 0 if early else seed % len(tasks)
        injection = Injection.parse([f"{fault}@{0.0 if early else begin_s:.2f}s"], seed) if fault else None
        policy = _policy(kind)
        bench = Bench(
            *(stage, StageRobot(stage, injection if beforehand else None), policy),
            perceive=partial(perceive, _detector()),
            specialist=kind is PolicyKind.SPECIALIST,
            doubter=policy,
        )
        if injection is not None and early and not beforehand:
            bench.afflict(injection)
        scene, known = bench.look(), dict[str, str]()
        for number, task in enumerate(tasks):
            skill = skill_of(task, scene, look(stage.world), known)
            if injection is not None and number == when and not early:
                bench.afflict(injection)
            rollout = attempt(bench, task, skill) if skill is not None else None
            if rollout is None:
                return
            yield rollout, bench.onset_s - rollout.started_s
            if not rollout.success or rollout.post != "true" or (injection is not None and number == when):
                return
    finally:
        stage.close()


def _all(tasks: Sequence[Any], allowed: Sequence[Kind]) -> bool:
    return bool(tasks) and all(task.kind in allowed for task in tasks)


@dataclass(frozen=True, slots=True)
class Job:
    """One scene to be played.

    Attributes:
        kind: Whose policy.
        seed: Of the scene.
        fault: What goes wrong in it; empty for nothing.
    """

    kind: PolicyKind
    seed: int
    fault: str = ""

    @property
    def slug(self) -> str:
        """What its files are called."""
        return f"{self.kind.value}-{self.seed}" + (
            f"-{re.sub('[^a-z0-9_.]+', '-', self.fault)}" if self.fault else ""
        )

    def mark(self, out: Path) -> Path:
        """A file that is there when it has been played."""
        return out / f"{self.slug}.done"


def jobs(
    kinds: Sequence[PolicyKind], blocks: Sequence[int], scenes: int, faults: Sequence[str] | None = None
) -> list[Job]:
    """Scenes in an order in which whatever is played first is a fair share of all.

    `faults` are played in turn; an empty sequence means each that the policy can have.
    """
    found = []
    for number in range(scenes):
        for first in blocks:
            for kind in kinds:
                for fault in ("",) if faults is None else faults or faults_for(kind):
                    gap = FAULT_SEEDS * FAULTS.index(fault) if fault else 0
                    found.append(Job(kind, first + number + gap, fault))
    return found


def collect(job: Job, out: Path) -> str:
    """Play a scene: one file for each attempt, then a mark. Returns what came of them in a line each."""
    number, said = 0, []
    for number, (rollout, onset_s) in enumerate(play(job.seed, job.kind, job.fault), start=1):
        happened = "" if np.isnan(onset_s) else job.fault
        label = Label(
            *(_policy(job.kind).policy_id, job.seed, happened, onset_s, rollout.skill, rollout.started_s),
            *(rollout.success, rollout.ended, rollout.post, rollout.contacts, rollout.damage),
        )
        save(out / f"{job.slug}-{number}.npz", label, rollout)
        done = "done" if rollout.success else "not done"
        said.append(f"{job.seed} {happened or 'nominal'}: {label.skill} {done}, ended by {label.ended}")
    job.mark(out).write_text(f"{number}\n")
    return "\n".join(said)


def _leave_interrupts() -> None:
    """Ctrl-C is for the parent; what has been begun is played to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def collect_all(todo: Sequence[Job], out: Path, workers: int, minutes: float, console: Console) -> int:
    """Play scenes, `workers` at a time, and begin no more after so many minutes. Returns how many failed."""
    until, failed = time.monotonic() + 60.0 * minutes, 0
    with (
        ProcessPoolExecutor(workers, get_context("spawn"), _leave_interrupts) as pool,
        Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar,
    ):
        task, waiting, rest = bar.add_task("scenes", total=len(todo)), dict[Future[str], Job](), iter(todo)
        try:
            while True:
                while len(waiting) < 2 * workers and time.monotonic() < until and (job := next(rest, None)):
                    waiting[pool.submit(collect, job, out)] = job
                if not waiting:
                    return failed
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    job = waiting.pop(future)
                    bar.advance(task)
                    if (error := future.exception()) is not None:
                        failed += 1
                        console.print(f"{job.slug}: {type(error).__name__}: {error}")
                    elif said := future.result():
                        console.print(said, highlight=False)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--policy", choices=tuple(PolicyKind), nargs="+", default=tuple(PolicyKind))
    parser.add_argument(
        "--first", type=int, nargs="+", required=True, help="first seeds, of each block in turn"
    )
    parser.add_argument("--scenes", type=int, default=50, help="of every block and policy")
    parser.add_argument(
        "--faults",
        nargs="*",
        choices=FAULTS,
        metavar="FAULT",
        help="with each of these; without names each of `scenarios.monitor_faults` that the policy can have",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="scenes at once")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no scene after so long")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    every = jobs([PolicyKind(name) for name in args.policy], args.first, args.scenes, args.faults)
    todo = [job for job in every if not job.mark(args.out).exists()]
    try:
        failed = collect_all(todo, args.out, args.workers, args.minutes, Console(stderr=True))
    except KeyboardInterrupt:
        sys.stderr.write("stopped; what was played is kept, and the same command goes on from there\n")
        sys.exit(130)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
