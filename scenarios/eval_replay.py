"""Exactness of replay: `python -m scenarios.eval_replay physics runs/corpus --count 500`.

The parts:

physics: every recorded run re-simulated in a fresh process, the hash of the whole physical state compared
after each chunk; speed in multiples of real time and of bare PyBullet stepping.
decisions: everything decided again from the record by today's modules.
weight: the same with a single changed weight in one module, which has to be found at its first decision.
forks: random chunks of runs that ended by themselves; going on from there has to end where the run ended.

Ctrl-C ends it after what is under way, and reports on what was done until then.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agent.modules import Modules
from api.assemble import load_modules
from api.replay import recorded_options
from replay.decisions import replay_decisions
from replay.fork import Fork, fork
from replay.physics import replay_physics
from replay.recorded import recorded_scene
from scenarios.progress import until_interrupted
from scenarios.statistics import wilson
from sim.raw_cost import raw_step_s
from sim.world import World
from skills.router import PolicyKind
from traces import names
from traces.errors import TandemError
from traces.index import list_runs
from traces.reader import read_run
from traces.run import Run
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.vla.policy import VLAPolicy

Figures = dict[str, Any]
ENDED = ("succeeded", "needs_help")
WEIGHT_FACTOR = 1.01
RAW_STEPS = 500


def physics(runs: list[Run], count: int, seed: int) -> Figures:  # noqa: ARG001
    """R1 on up to `count` runs that have moved."""
    equal, chunks, sim_s, wall_s = 0, 0, 0.0, 0.0
    outcomes: Counter[str] = Counter()
    different, ratios = {}, []
    for run in until_interrupted(_moved(runs)[:count], "re-simulating"):
        outcomes[_outcome(run)] += 1
        began = time.perf_counter()
        try:
            report = replay_physics(run.folder)
        except TandemError as error:
            different[run.folder.name] = str(error)
            continue
        wall_s += time.perf_counter() - began
        equal += report.equal
        chunks, sim_s = chunks + report.chunks, sim_s + report.sim_s
        if not report.equal:
            different[run.folder.name] = str(report.difference)
        world = World(recorded_scene(run))
        ratios.append(raw_step_s(world, RAW_STEPS))
        world.close()
    step_s = float(np.median(ratios))
    return {
        "runs": sum(outcomes.values()),
        "equal": str(wilson(equal, sum(outcomes.values()))),
        "outcomes": outcomes,
        "chunks": chunks,
        "sim_s": round(sim_s, 1),
        "times_real_time": round(sim_s / wall_s, 2),
        "wall_to_raw_stepping": round(wall_s / (sim_s * CONTROL_HZ * step_s), 2),
        "different": different,
    }


def decisions(runs: list[Run], count: int, seed: int) -> Figures:  # noqa: ARG001
    """R2 on up to `count` runs, by the modules as they are."""
    done, equal, compared, different = 0, 0, Counter[str](), {}
    for run in until_interrupted(_moved(runs)[:count], "deciding again"):
        done += 1
        report = replay_decisions(run, _modules(run))
        compared.update(report.compared)
        equal += report.first is None
        if report.first is not None:
            different[run.folder.name] = f"{report.first.label}: {report.first.difference}"
    rate = str(wilson(equal, done))
    return {"runs": done, "equal": rate, "decisions": compared, "different": different}


def weight(runs: list[Run], count: int, seed: int) -> Figures:
    """R2 with one weight changed by a hundredth: is it found, and at the module's first decision?"""
    found, right, tried, missed = 0, 0, Counter[str](), []
    for number, run in enumerate(until_interrupted(_moved(runs)[:count], "changing a weight")):
        modules = _modules(run)
        module = _changed_module(run, np.random.default_rng([seed, number]))
        _change_one(modules, module)
        report = replay_decisions(run, modules)
        tried[module] += 1
        found += report.first is not None
        expected = _first_label(run, module)
        hit = report.first is not None and (report.first.module, report.first.ref) == (module, expected)
        right += hit
        if not hit:
            missed.append(f"{run.folder.name}: {module}, {report.first}")
    n = sum(tried.values())
    return {
        "tried": tried,
        "found": str(wilson(found, n)),
        "right_span": str(wilson(right, n)),
        "missed": missed,
    }


def forks(runs: list[Run], count: int, seed: int) -> Figures:
    """R3 without overrides from random chunks of runs that ended by themselves."""
    able = [run for run in _moved(runs) if _outcome(run) in ENDED]
    done, same, drifted, other = 0, 0, 0, []
    for number in until_interrupted(range(count), "forking"):
        done += 1
        rng = np.random.default_rng([seed, number])
        run = able[int(rng.integers(len(able)))]
        chunk = int(rng.integers(len(run.named(names.CHUNK))))
        with tempfile.TemporaryDirectory() as folder:
            try:
                report = fork(run, _modules(run), Fork(chunk), Path(folder) / "fork")
            except TandemError as error:
                other.append(f"{run.folder.name} at {chunk}: {error}")
                continue
        same += report.same_end
        drifted += report.drifted
        if not report.same_end:
            other.append(f"{run.folder.name} at {chunk}: ended elsewhere")
    rate = str(wilson(same, done))
    return {"forks": done, "of_runs": len(able), "same_end": rate, "drifted": drifted, "other": other}


def _moved(runs: Iterable[Run]) -> list[Run]:
    return [run for run in runs if run.named(names.CHUNK)]


def _outcome(run: Run) -> str:
    told = [root.attributes.get(names.OUTCOME) for root in run.roots]
    return str(next((outcome for outcome in told if outcome), "killed"))


def _modules(run: Run) -> Modules:
    return load_modules(recorded_options(run))


def _changed_module(run: Run, rng: np.random.Generator) -> str:
    """One of the modules with weights that decided something in this run."""
    routes = {span.attributes.get(names.ROUTE) for span in run.named(names.CHUNK)}
    planner = str(run.attributes.get(names.PLANNER_ID, ""))
    able = ["perception"]
    able += ["policy"] if PolicyKind.GENERALIST.value in routes else []
    able += ["planner"] if planner.startswith("embedded") else []
    return str(rng.choice(able))


def _inside(modules: Modules, module: str) -> Any:
    """A layer of the module's network through which everything goes."""
    inside: dict[str, Callable[[Any], Any]] = {
        "perception": lambda m: m.perceiver.args[0]._network,
        "planner": lambda m: m.planner._writer._llama.model.norm,
        "policy": lambda m: m.policies[PolicyKind.GENERALIST].network,
    }
    return inside[module](modules)


def _change_one(modules: Modules, module: str) -> None:
    """Scale the largest number of a tensor of such a layer."""
    if module == "policy":
        policy = modules.policies[PolicyKind.GENERALIST]
        assert isinstance(policy, VLAPolicy)
        policy.network = copy.deepcopy(policy.network)
    tensor = next(iter(_inside(modules, module).parameters())).data.view(-1)
    tensor[int(tensor.abs().argmax())] *= WEIGHT_FACTOR


def _first_label(run: Run, module: str) -> object:
    name = {"perception": names.PERCEIVE, "planner": names.PLAN, "policy": names.CHUNK}[module]
    spans = run.named(name)
    if module == "policy":
        spans = [s for s in spans if s.attributes.get(names.ROUTE) == PolicyKind.GENERALIST.value]
    return spans[0].ref


_PARTS: dict[str, Callable[[list[Run], int, int], Figures]] = {
    "physics": physics,
    "decisions": decisions,
    "weight": weight,
    "forks": forks,
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=_PARTS)
    parser.add_argument("folder", type=Path, help="where the runs lie, each in a folder")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="pass over so many runs: halves side by side")
    parser.add_argument("--seed", type=int, default=0, help="of the random choice of chunks and modules")
    args = parser.parse_args()
    # As the command line runs them: sums in another order are other sums.
    torch.set_num_threads(1)
    folders = sorted(run.folder for run in list_runs(args.folder))
    runs = [read_run(folder) for folder in folders[args.first :]]
    sys.stdout.write(json.dumps(_PARTS[args.part](runs, args.count, args.seed), indent=1) + "\n")


if __name__ == "__main__":
    main()
