"""The policy on trial: `python -m scenarios.eval_policy skills --arm panda --count 200`.

Every section draws scenes that were never trained or chosen on, lets the policy do one subgoal at a time, and
asks the simulator what came of it. Figures are printed as a table and kept in `build/eval_policy`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import Progress

from agent.perception.detector import Detector
from scenarios.pointer import Pointer
from scenarios.statistics import quantile, wilson
from sim.demos.phrases import Split
from sim.demos.rollout import Trial, named_instead, trials
from sim.demos.tasks import Kind
from traces.errors import TandemError

if TYPE_CHECKING:
    from vla_low_level.vla.policy import VLAPolicy

OUT = Path("build/eval_policy")
# Training draws seeds below a million, validation from there on.
FIRST = 4_000_000
SCENES_A_JOB, JOBS = 2, 12
MOST_SCENES = 3000
MANY = 32
LATE_ROWS = 10


@dataclass(frozen=True, slots=True)
class Job:
    """Scenes for a worker.

    Attributes:
        weights: The policy's folder; None is the shipped one.
        arm: Whose.
        seeds: Of the scenes.
        only: The skill that is wanted.
        split: Wordings.
    """

    weights: Path | None
    arm: str
    seeds: range
    only: Kind
    split: Split


@dataclass(frozen=True, slots=True)
class Score:
    """A trial, brought down to what is counted."""

    seed: int
    arm: str
    kind: str
    category: str
    text: str
    succeeded: bool
    reached: int | None
    said: int | None


def try_skills(job: Job) -> list[Score]:
    """Every wanted task in some scenes."""
    return [
        _score(seed, trial)
        for seed in job.seeds
        for trial in trials(seed, partial(_policy, job.weights), arm=job.arm, split=job.split, only=job.only)
    ]


def try_pointed(job: Job) -> list[Score]:
    """The same, pointed at where the agent perceives it, as in a command."""
    policy = partial(_policy, job.weights)
    return [
        _score(seed, trial)
        for seed in job.seeds
        for trial in trials(
            seed, policy, arm=job.arm, split=job.split, only=job.only, tell=Pointer(_detector())
        )
    ]


def try_names(job: Job) -> list[Score]:
    """The same scene and start twice, two objects named in turn: does it go to the one that is named?"""
    return [
        _score(seed, trial)
        for seed in job.seeds
        for trial in named_instead(seed, partial(_policy, job.weights), arm=job.arm, split=job.split)
    ]


def _score(seed: int, trial: Trial) -> Score:
    kind, category = trial.task.kind.value, trial.category or ""
    return Score(seed, trial.arm, kind, category, trial.text, trial.succeeded, trial.reached, trial.said)


@cache
def _policy(weights: Path | None, arm: str) -> VLAPolicy:
    import torch

    from vla_low_level.vla.policy import VLAPolicy

    torch.set_num_threads(1)
    return VLAPolicy.from_pretrained(weights, embodiment=arm)


@cache
def _detector() -> Detector:
    return Detector.from_pretrained()


def _run(
    args: argparse.Namespace, work: Callable[[Job], list[Score]], kinds: Sequence[Kind], console: Console
) -> list[Score]:
    """Trials until every kind has `--count` of them; a pick before something else counts as well.

    What is lacking is looked up between rounds of jobs whose size does not depend on the machine, so that
    the same command always tries the same tasks.
    """
    scores: list[Score] = []
    # A skill's scenes are the same, whichever others are tried.
    wanted = [(number, kind) for number, kind in enumerate(kinds) if kind in (args.skill or kinds)]

    def tried(kind: Kind) -> int:
        return sum(score.kind == kind.value for score in scores)

    with (
        ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool,
        Progress(console=console) as bar,
    ):
        task = bar.add_task(f"{args.section}, {args.arm}", total=args.count * len(wanted))
        for number, kind in wanted:
            first = args.first + number * MOST_SCENES
            for block in range(first, first + MOST_SCENES, JOBS * SCENES_A_JOB):
                if tried(kind) >= args.count:
                    break
                starts = range(block, block + JOBS * SCENES_A_JOB, SCENES_A_JOB)
                jobs = [
                    Job(args.weights, args.arm, range(s, s + SCENES_A_JOB), kind, args.split) for s in starts
                ]
                for found in pool.map(work, jobs):
                    scores += found
                    bar.update(task, completed=sum(min(args.count, tried(k)) for _, k in wanted))
    return scores


def _rates(scores: Iterable[Score], key: Callable[[Score], str]) -> dict[str, object]:
    groups: dict[str, list[bool]] = defaultdict(list)
    for score in scores:
        groups[key(score)].append(score.succeeded)
    return {name: asdict(wilson(sum(done), len(done))) for name, done in sorted(groups.items())}


def skills(args: argparse.Namespace, console: Console) -> dict[str, object]:
    """Success by skill, and of picks by category, told nothing but words."""
    return _by_skill(_run(args, try_skills, list(Kind), console))


def pointed(args: argparse.Namespace, console: Console) -> dict[str, object]:
    """The same tasks, told as in a command: words, and where the agent has perceived it."""
    return _by_skill(_run(args, try_pointed, list(Kind), console))


def _by_skill(scores: list[Score]) -> dict[str, object]:
    picks = [score for score in scores if score.kind == Kind.PICK.value]
    return {
        "skills": _rates(scores, lambda s: s.kind),
        "picks": _rates(picks, lambda s: s.category),
        "done": _done(scores),
        "failed": [asdict(score) for score in scores if not score.succeeded],
    }


def _done(scores: list[Score]) -> dict[str, object]:
    """How far the policy's own word that it is done can be trusted."""
    said = [s for s in scores if s.said is not None]
    reached = [s for s in scores if s.reached is not None]
    late = [s for s in reached if s.said is not None and s.said - (s.reached or 0) > LATE_ROWS]
    never = [s for s in reached if s.said is None]
    return {
        "said, and not so": asdict(wilson(sum(s.reached is None for s in said), max(1, len(said)))),
        "so, said later than 1 s": asdict(wilson(len(late), max(1, len(reached)))),
        "so, never said": asdict(wilson(len(never), max(1, len(reached)))),
    }


def names(args: argparse.Namespace, console: Console) -> dict[str, object]:
    """How often it goes to the object that is named."""
    scores = _run(args, try_names, (Kind.PICK,), console)
    return {
        "named": _rates(scores, lambda _: "goes to the named object"),
        "failed": [asdict(score) for score in scores if not score.succeeded],
    }


def nonsense(args: argparse.Namespace, console: Console) -> dict[str, object]:
    """Words that are no subgoal: every one that the policy would act on."""
    import yaml

    from sim.demos.phrases import some_sentences

    del console
    policy = _policy(args.weights, args.arm)
    said = yaml.safe_load((Path(__file__).parent / "nonsense.yaml").read_text(encoding="utf-8"))
    refused = [text for text in said if not _understood(policy, text)]
    held_out = some_sentences(2000, np.random.default_rng([0x30E]), "held_out")
    known = [text for text in held_out if _understood(policy, text)]
    return {
        "refused": {
            "nonsense": asdict(wilson(len(refused), len(said))),
            "held-out subgoals": asdict(wilson(len(held_out) - len(known), len(held_out))),
        },
        "acted on": [text for text in said if text not in refused],
    }


def _understood(policy: VLAPolicy, text: str) -> bool:
    try:
        policy.told(text)
    except TandemError:
        return False
    return True


def latency(args: argparse.Namespace, console: Console) -> dict[str, object]:
    """Milliseconds from observation to chunk on one thread, words known; and many robots in one pass."""
    from sim.demos.chain import draw_stage
    from vla_low_level.policy import Instruction

    del console
    policy, (stage, _) = _policy(args.weights, args.arm), draw_stage(args.first, args.arm)
    if stage is None:
        raise ValueError(f"no scene from seed {args.first}; use another --first")
    seen, told = stage.body.observe(policy.cameras), Instruction("pick up the red cup")
    stage.close()
    for _ in range(20):
        policy.act(seen, told)
    one = _timed(lambda: policy.act(seen, told), 5 * args.count)
    many = _timed(lambda: policy.act_batch([seen] * MANY, [told] * MANY), args.count // 5)
    return {
        "ms": {
            "chunk, median": quantile(one, 0.5),
            "chunk, p99": quantile(one, 0.99),
            f"batch of {MANY}, median, each": quantile(many, 0.5) / MANY,
        },
        "parameters": sum(p.numel() for p in policy.network.parameters()),
    }


def _timed(work: Callable[[], object], times: int) -> list[float]:
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - began))
    return found


SECTIONS = {"skills": skills, "pointed": pointed, "names": names, "nonsense": nonsense, "latency": latency}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--arm", default="panda")
    parser.add_argument("--count", type=int, default=200, help="trials of every skill")
    parser.add_argument(
        "--skill", type=Kind, choices=tuple(Kind), action="append", help="only this one; repeatable"
    )
    parser.add_argument("--split", choices=("train", "held_out"), default="train", help="wordings")
    parser.add_argument("--weights", type=Path, help="a policy's folder; default the shipped one")
    parser.add_argument("--first", type=int, default=FIRST, help="first seed")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    figures = SECTIONS[args.section](args, Console(stderr=True))
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{'-'.join([args.section, args.arm, args.split, *(args.skill or ())])}.json"
    path.write_text(json.dumps(figures, indent=1) + "\n")
    for group in figures.values():
        if isinstance(group, dict):
            for name, rate in group.items():
                told = wilson(rate["successes"], rate["n"]) if isinstance(rate, dict) else f"{rate:.2f}"
                sys.stdout.write(f"{name:>28}  {told}\n")
    sys.stdout.write(f"written to {path}\n")


if __name__ == "__main__":
    main()
