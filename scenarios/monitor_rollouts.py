"""Rollouts for the monitor: `python -m scenarios.monitor_rollouts --first 8000000 --scenes 100`.

Every scene is played by the real perception, policy, controller and guard, in this process, with the monitor
silent: what each chunk would have told it is written down, with what the simulator says came of the attempt.
All detectors are then judged on the same rollouts. A scene that is on disk is not played again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.perception.detector import Detector
from agent.perception.perceive import perceive
from scenarios.monitor_bench import Bench, Rollout, StageRobot, attempt, skill_of
from scenarios.monitor_faults import FAULT_SEEDS, faults_for
from sim.demos.chain import draw_stage, draw_tasks
from sim.demos.judge import look
from sim.demos.tasks import Kind
from sim.faults.kinds import Site
from sim.faults.spec import Injection
from skills.router import PolicyKind
from vla_low_level.monitoring.sample import Felt, Seen
from vla_low_level.policies.specialist import SpecialistPolicy
from vla_low_level.policy import Policy

OUT = Path("build/monitor")
SPECIALIST_KINDS = (Kind.PICK, Kind.PLACE_IN)
DRAWS = 4
ONSET_S = (0.4, 2.5)


@dataclass(frozen=True, slots=True)
class Label:
    """What a rollout is, beside its arrays.

    Attributes:
        policy: Whose; with its version.
        seed: Of the scene. Attempts of one scene are not independent.
        fault: What was wrong, empty when nothing was.
        onset_s: When it began, s after the attempt's beginning; NaN without a fault.
        skill, started_s, success, ended, post, contacts, damage: As in `Rollout`.
    """

    policy: str
    seed: int
    fault: str
    onset_s: float
    skill: str
    started_s: float
    success: bool
    ended: str
    post: str
    contacts: int
    damage: int


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


def save(path: Path, rollout: Rollout, label: Label) -> None:
    """Write a rollout as npz, whole or not at all."""
    arrays: dict[str, NDArray[Any]] = {
        "label": np.array(json.dumps({f.name: getattr(label, f.name) for f in fields(label)}))
    }
    for name in ("time_s", "plan", "hand_m", "opening", "grip", "force_n"):
        arrays[f"seen.{name}"] = np.array([getattr(s, name) for s in rollout.seen])
    arrays["seen.rate_hz"] = np.array([s.rate_hz for s in rollout.seen])
    for group in ("features", "frames"):
        for key in getattr(rollout.seen[0], group) if rollout.seen else ():
            arrays[f"{group}.{key}"] = np.stack([getattr(s, group)[key] for s in rollout.seen])
    for item in fields(Felt):
        arrays[f"felt.{item.name}"] = np.array([getattr(f, item.name) for f in rollout.felt])
    arrays["off_m"], arrays["spread"] = np.array(rollout.off_m), np.array(rollout.spread)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    part.rename(path)


@dataclass(frozen=True, slots=True)
class Saved:
    """A rollout as it was read back."""

    label: Label
    seen: list[Seen]
    felt: list[Felt]
    off_m: NDArray[np.float64]
    spread: NDArray[np.float64]
    sha256: str


def load(path: Path) -> Saved:
    """Read what `save` wrote. Raises KeyError, ValueError."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    label = Label(**json.loads(str(arrays["label"])))
    groups = {
        group: {
            name.split(".", 1)[1]: values for name, values in arrays.items() if name.startswith(f"{group}.")
        }
        for group in ("features", "frames")
    }
    plain = [f.name for f in fields(Seen) if f.name not in groups]
    seen = [
        Seen(
            **{name: _item(arrays[f"seen.{name}"][k]) for name in plain},
            **{group: {key: values[k] for key, values in told.items()} for group, told in groups.items()},
        )
        for k in range(len(arrays["seen.time_s"]))
    ]
    felt = [
        Felt(**{f.name: _item(arrays[f"felt.{f.name}"][k]) for f in fields(Felt)})
        for k in range(len(arrays["felt.time_s"]))
    ]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Saved(label, seen, felt, arrays["off_m"], arrays["spread"], digest)


def _item(value: Any) -> Any:
    return value.item() if np.ndim(value) == 0 else value


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
        save(out / f"{slug}-{number}.npz", rollout, label)
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
                for k, fault in enumerate(faults_for(kind) if args.faults else ("",)):
                    collect(kind, first + number + FAULT_SEEDS * k, fault, args.out)


if __name__ == "__main__":
    main()
