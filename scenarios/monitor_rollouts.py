"""Rollouts for the monitor: `python -m scenarios.monitor_rollouts --first 8000000 --scenes 100`.

Every scene is played by the real perception, policy, controller and guard, in this process, with the monitor
silent: what each chunk would have told it is written down, with what the simulator says came of the attempt.
All detectors are then judged on the same rollouts. A scene that is on disk is not played again.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from agent.perception.detector import Detector
from agent.perception.perceive import perceive
from scenarios.monitor_bench import Bench, Rollout, StageRobot, attempt, skill_of
from scenarios.monitor_faults import FAULT_SEEDS, FAULTS, faults_for
from sim.demos.chain import draw_stage, draw_tasks
from sim.demos.judge import look
from sim.demos.tasks import Kind
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

    What is drawn first is tried, a pick with what becomes of the object. A fault comes in one of the two.
    """
    stage, rng = draw_stage(seed, "panda")
    if stage is None:
        return
    try:
        policy = _policy(kind)
        bench = Bench(
            *(stage, StageRobot(stage), policy, partial(perceive, _detector())),
            specialist=kind is PolicyKind.SPECIALIST,
            doubter=policy,
        )
        allowed = SPECIALIST_KINDS if bench.specialist else tuple(Kind)
        tasks = next((t for t in (draw_tasks(stage, rng) for _ in range(DRAWS)) if _all(t, allowed)), [])
        begin_s = float(np.random.default_rng([seed, 0xFA]).uniform(*ONSET_S))
        injection = Injection.parse([f"{fault}@{begin_s:.2f}s"], seed) if fault else None
        blinds = injection is not None and injection.faults[0].kind.site is Site.PERCEIVER
        when = 0 if blinds else seed % max(1, len(tasks))
        if blinds and injection is not None:
            bench.afflict(Injection.parse([f"{fault}@0s"], seed))
        scene, known = bench.look(), dict[str, str]()
        for number, task in enumerate(tasks):
            skill = skill_of(task, scene, look(stage.world), known)
            if injection is not None and number == when and not blinds:
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


def collect(kind: PolicyKind, seed: int, fault: str, out: Path) -> None:
    """Play a scene, unless that was done before: one file for each attempt, then a mark."""
    slug = f"{kind.value}-{seed}" + (f"-{re.sub('[^a-z0-9_.]+', '-', fault)}" if fault else "")
    mark = out / f"{slug}.done"
    if mark.exists():
        return
    number = 0
    for number, (rollout, onset_s) in enumerate(play(seed, kind, fault), start=1):
        happened = "" if np.isnan(onset_s) else fault
        label = Label(
            *(_policy(kind).policy_id, seed, happened, onset_s, rollout.skill, rollout.started_s),
            *(rollout.success, rollout.ended, rollout.post, rollout.contacts, rollout.damage),
        )
        save(out / f"{slug}-{number}.npz", label, rollout)
        said = (
            f"{seed} {happened} {label.skill} {label.ended} {label.success} {label.post} {len(rollout.felt)}"
        )
        sys.stderr.write(said + "\n")
    mark.write_text(f"{number}\n")


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
    parser.add_argument("--faults", action="store_true", help="with each fault of `scenarios.monitor_faults`")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for number in range(args.scenes):
        for first in args.first:
            for kind in map(PolicyKind, args.policy):
                for fault in faults_for(kind) if args.faults else ("",):
                    gap = FAULT_SEEDS * FAULTS.index(fault) if fault else 0
                    collect(kind, first + number + gap, fault, args.out)


if __name__ == "__main__":
    main()
