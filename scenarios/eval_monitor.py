"""The monitor on trial: `python -m scenarios.eval_monitor build/monitor/calibration build/monitor/test`.

Both folders are of `monitor_rollouts`. Every method is fitted to the same half of the good attempts of the
first and gets its exact threshold from the other half, divided as `tandem calibrate` does; all are judged on
the second. What a fault made fail must be noticed, what succeeded must be left alone; whatever `HELD_OUT`
names was never looked at before. Figures are printed and kept as JSON beside the test.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scenarios.monitor_false_alarms import false_alarms
from scenarios.monitor_faults import HELD_OUT, is_benign, name_of
from scenarios.monitor_methods import Method, ours, published
from scenarios.monitor_metrics import (
    Judged,
    auroc,
    balanced_accuracy,
    clustered,
    paired,
    timely_accuracy,
)
from scenarios.statistics import wilson
from skills.router import PolicyKind
from traces.errors import TandemError
from vla_low_level.monitoring.keep import Kept, load_all
from vla_low_level.monitoring.make import ALPHA_ACT, fit
from vla_low_level.monitoring.trial import Trial, bound_of, first_above, halves
from vla_low_level.monitoring.watch import Watch

ERRATIC = frozenset(
    {"gain", "wrong_rate", "wrong_frame", "mode_flip", "policy_noise", "wrong_statistics", "push", "obstacle"}
    | {"weak_motors", "motor_delay", "sticky_joints", "dropped_tail"}
)
BLIND = frozenset({"black_frame", "frame_freeze"})


def judge(trial: Trial, method: Method, bound: float | None = None) -> list[Judged]:
    """Every test rollout under one method, with the bound of the calibration unless one is given."""
    if bound is None:
        bound = bound_of([float(method(r)[1].max()) for r in trial.calibration])
    return [judged(r, first_above(method(r), bound)) for r in trial.test]


def judged(saved: Kept, alarm_s: float) -> Judged:
    """A rollout and when it alarmed."""
    label = saved.label
    return Judged(label.seed, not label.success, alarm_s, saved.lasted_s, label.onset_s)


def with_success_test(trial: Trial, found: Sequence[Judged]) -> list[Judged]:
    """The same, where the agent's own success test speaks at the end of what had been quiet."""
    both = []
    for saved, item in zip(trial.test, found, strict=True):
        late = not item.alarmed and saved.label.post == "false"
        both.append(judged(saved, item.lasted_s if late else item.alarm_s))
    return both


def detection(trial: Trial) -> dict[str, object]:
    """Accuracy of ours and of the published ones, and what depends on the fault."""
    method = ours(trial)
    mine = judge(trial, method)
    both = with_success_test(trial, mine)
    figures: dict[str, object] = {
        "attempts": _counts(trial),
        "ours": _accuracy(mine),
        "ours and the success test": _accuracy(both),
    }
    for name, other in published(trial).items():
        bound = 0.0 if name == "FIPER-style AND" else None
        theirs = judge(trial, other, bound)
        figures[name] = _accuracy(theirs) | {
            "ours better by": paired(mine, theirs, balanced_accuracy),
            "in time": paired(mine, theirs, timely_accuracy),
        }
    nominal = [k for k, r in enumerate(trial.test) if r.label.good]
    for label, wanted in (("held-out faults", True), ("other faults", False)):
        chosen = [
            k
            for k, r in enumerate(trial.test)
            if r.label.fault
            and not is_benign(r.label.fault)
            and (name_of(r.label.fault) in HELD_OUT) is wanted
        ]
        figures[label] = _accuracy([mine[k] for k in (*nominal, *chosen)])
        figures[f"{label}, with the success test"] = _accuracy([both[k] for k in (*nominal, *chosen)])
    well = [(mine[k], r.label.fault) for k, r in enumerate(trial.test) if r.label.fault and r.label.success]
    figures["nominal, success, stopped"] = _share([mine[k].alarmed for k in nominal])
    figures["benign shift, success, stopped"] = _share([i.alarmed for i, fault in well if is_benign(fault)])
    figures["fault without harm, stopped"] = _share([i.alarmed for i, fault in well if not is_benign(fault)])
    figures["delay, s"] = {
        "erratic, contact, tracking": _delays(trial, mine, ERRATIC),
        "blind or frozen": _delays(trial, mine, BLIND),
    }
    figures["by fault"] = _by_fault(trial, mine, both)
    figures["equal length"] = _equal_length(trial, method)
    return figures


def _counts(trial: Trial) -> dict[str, int]:
    return {
        "fitted": len(trial.fitting),
        "calibrated": len(trial.calibration),
        "test, good": sum(r.label.good for r in trial.test),
        "test, failed of itself": sum(not r.label.fault and not r.label.success for r in trial.test),
        "test, failed of a fault": sum(bool(r.label.fault) and not r.label.success for r in trial.test),
        "test, fault without harm": sum(bool(r.label.fault) and r.label.success for r in trial.test),
    }


def _accuracy(items: Sequence[Judged]) -> dict[str, object]:
    bad, well = [i for i in items if i.failed], [i for i in items if not i.failed]
    return {
        "balanced accuracy": clustered(items, balanced_accuracy),
        "timely accuracy": clustered(items, timely_accuracy),
        "failures noticed": _share([i.alarmed for i in bad]),
        "successes stopped": _share([i.alarmed for i in well]),
    }


def _share(hits: Sequence[bool]) -> str:
    return str(wilson(sum(hits), len(hits))) if hits else "none"


def _delays(trial: Trial, items: Sequence[Judged], names: frozenset[str]) -> dict[str, object]:
    """From onset to alarm, s; what was never noticed counts as infinitely late."""
    chosen = [
        item.delay_s
        for saved, item in zip(trial.test, items, strict=True)
        if name_of(saved.label.fault) in names and item.failed
    ]
    found = [delay for delay in chosen if not np.isnan(delay)]
    late = np.array([np.inf if np.isnan(delay) else delay for delay in chosen])
    return {
        "failures": len(chosen),
        "noticed after the onset": len(found),
        "median": float(np.median(found)) if found else None,
        "median of all failures": float(np.median(late)) if chosen else None,
        "all": sorted(found),
    }


def _by_fault(trial: Trial, mine: Sequence[Judged], both: Sequence[Judged]) -> dict[str, object]:
    found: dict[str, dict[str, int]] = {}
    for saved, item, also in zip(trial.test, mine, both, strict=True):
        told = found.setdefault(
            saved.label.fault or "none", {"failed": 0, "noticed": 0, "with test": 0, "fine": 0, "stopped": 0}
        )
        told["failed"] += item.failed
        told["noticed"] += item.failed and item.alarmed
        told["with test"] += item.failed and also.alarmed
        told["fine"] += not item.failed
        told["stopped"] += not item.failed and item.alarmed
    return dict(sorted(found.items()))


def _equal_length(trial: Trial, method: Method) -> dict[str, object]:
    """Area under the ROC curve with every attempt at a skill cut to one length, beside score = time."""
    lengths: dict[str, list[float]] = {}
    for r in (*trial.fitting, *trial.calibration):
        lengths.setdefault(r.label.skill, []).append(r.lasted_s)
    cut = {skill: min(found) for skill, found in lengths.items()}
    known = [r for r in trial.test if r.label.skill in cut]
    failed = [not r.label.success for r in known]

    def top(saved: Kept, *, whole: bool) -> float:
        times, scores = method(saved)
        kept = scores if whole else scores[times <= cut[saved.label.skill]]
        return float(kept.max()) if len(kept) else 0.0

    lasted = [r.lasted_s for r in known]
    return {
        "ours": auroc(failed, [top(r, whole=False) for r in known]),
        "time": auroc(failed, [min(t, cut[r.label.skill]) for t, r in zip(lasted, known, strict=True)]),
        "ours, whole length": auroc(failed, [top(r, whole=True) for r in known]),
        "time, whole length": auroc(failed, lasted),
    }


def cost(trial: Trial) -> dict[str, float]:
    """Milliseconds of one thread per chunk, from observation and report to finding."""
    channels, novelty = fit([r.episode for r in trial.fitting])
    found = []
    for saved in trial.calibration:
        watch = Watch(channels, novelty, saved.label.skill, saved.label.started_s)
        for seen, felt in zip(saved.episode.seen, saved.episode.felt, strict=False):
            began = time.thread_time()
            watch.see(seen)
            watch.feel(felt)
            found.append(1000 * (time.thread_time() - began))
    return {"median": float(np.median(found)), "p99": float(np.quantile(found, 0.99)), "chunks": len(found)}


def evaluate(calibration: Path, test: Path, kind: PolicyKind) -> Mapping[str, object]:
    """All figures of one policy. Raises `TandemError` (`CALIBRATION_SMALL`) without enough rollouts."""
    before, then = (load_all(folder, f"{kind.value}-*.npz") for folder in (calibration, test))
    trial = Trial(*halves(before, ALPHA_ACT), then)
    if shared := {r.label.seed for r in before} & {r.label.seed for r in then}:
        raise TandemError(
            "ROLLOUTS_SHARED", f"scene {min(shared)} is in both folders", fix="test on scenes of their own"
        )
    return {
        "false alarms": false_alarms([*before, *then]),
        "detection": detection(trial),
        "cost, ms": cost(trial),
    }


def _plain(value: object) -> object:
    """What JSON can hold: numbers that are none become null."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 4) if np.isfinite(value) else None
    return value


def main() -> None:
    """Command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("calibration", type=Path, help="folder of attempts to fit to and calibrate with")
    parser.add_argument("test", type=Path, help="folder of attempts to judge")
    parser.add_argument("--policy", choices=tuple(PolicyKind), nargs="+", default=tuple(PolicyKind))
    args = parser.parse_args()
    for kind in map(PolicyKind, args.policy):
        try:
            figures = evaluate(args.calibration, args.test, kind)
        except TandemError as error:
            sys.stderr.write(f"{kind.value}: {error.message}; {error.fix}\n")
            continue
        text = json.dumps(_plain(figures), indent=1)
        (args.test / f"figures-{kind.value}.json").write_text(text + "\n")
        sys.stdout.write(f"{kind.value}\n{text}\n")


if __name__ == "__main__":
    main()
