"""Pictures of how well the monitor tells good attempts from bad ones, and a page that shows them."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from traces.errors import TandemError
from vla_low_level.monitoring.keep import load_all
from vla_low_level.monitoring.trial import Scored, Trial, first_above, score, split

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("specialist", "generalist")
GOOD, BAD, BOUND = "#2a78b5", "#c0392b", "#444444"
# Scores are drawn up to here; what is further away is as far away.
MOST = 20.0
BINS = 24
Draw = Callable[["Axes", Trial, Scored], None]


def write_report(rollouts: Path, out: Path) -> Path:
    """Write pictures and page; returns the page.

    Raises:
        TandemError: `REPORT_UNAVAILABLE` without matplotlib, `ROLLOUTS_FEW` when there is nothing to judge,
            `ROLLOUT_CORRUPT`.
    """
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise TandemError(
            "REPORT_UNAVAILABLE", "pictures need matplotlib", fix="pip install 'tandem-robot[report]'"
        ) from error
    sections, why = [], []
    for kind in KINDS:
        try:
            trial, scored = _judged(rollouts, kind)
        except TandemError as error:
            if error.code == "ROLLOUT_CORRUPT":
                raise
            why.append(f"{kind}: {error.message}")
            continue
        out.mkdir(parents=True, exist_ok=True)
        shown = []
        for name, (title, draw) in PICTURES.items():
            figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
            axes.set_title(f"{title}, {kind}")
            draw(axes, trial, scored)
            figure.savefig(out / f"{kind}-{name}.png", dpi=120, metadata={"Software": None})
            plt.close(figure)
            shown.append((f"{kind}-{name}.png", title))
        sections.append((kind, _counts(trial, scored), shown))
    if not sections:
        raise TandemError(
            "ROLLOUTS_FEW",
            "; ".join(why) or "no attempts",
            fix="keep more with `python -m scenarios.monitor_rollouts`",
        )
    page = out / "index.html"
    page.write_text(_page(sections), encoding="utf-8")
    return page


def _judged(rollouts: Path, kind: str) -> tuple[Trial, Scored]:
    """A third of the good attempts says what is normal, up to half where to stop, the rest is judged."""
    kept = load_all(rollouts, f"{kind}-*.npz")
    good = sum(item.label.good for item in kept)
    trial = split(kept, max(1, good // 3), max(19, good // 3))
    scored = score(trial)
    if not trial.test:
        raise TandemError("ROLLOUTS_FEW", f"{len(kept)} attempts, and none is left to be judged")
    return trial, scored


def _roc(axes: Axes, trial: Trial, scored: Scored) -> None:
    bad = np.array([not item.label.success for item in trial.test])
    tops = np.array(scored.tops)
    bounds = [np.inf, *sorted(set(tops), reverse=True), -np.inf]
    stopped = [float((tops[~bad] > b).mean()) if (~bad).any() else 0.0 for b in bounds]
    noticed = [float((tops[bad] > b).mean()) if bad.any() else 0.0 for b in bounds]
    axes.plot(stopped, noticed, color=GOOD)
    axes.plot([0, 1], [0, 1], color=BOUND, linewidth=0.8, linestyle=":")
    at = bounds.index(next(b for b in bounds if b <= scored.bound)) - 1
    axes.plot(stopped[at], noticed[at], "o", color=BAD, label="the bound")
    axes.set_xlabel("successes stopped")
    axes.set_ylabel("failures noticed")
    axes.legend()


def _bands(axes: Axes, trial: Trial, scored: Scored) -> None:
    at = np.linspace(0.0, 1.0, BINS)
    for failed, colour, name in ((False, GOOD, "successes"), (True, BAD, "failures")):
        lines = [
            np.interp(at, times / max(times[-1], 1e-6), np.maximum.accumulate(scores).clip(0, MOST))
            for item, (times, scores) in zip(trial.test, scored.series, strict=True)
            if len(times) and item.label.success is not failed
        ]
        if lines:
            low, middle, high = np.quantile(lines, [0.1, 0.5, 0.9], axis=0)
            axes.plot(at, middle, color=colour, label=f"{name} ({len(lines)})")
            axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.axhline(min(scored.bound, MOST), color=BOUND, linestyle="--", label="bound")
    axes.set_xlabel("share of the attempt")
    axes.set_ylabel("evidence so far (median, 10 to 90 %)")
    axes.legend()


def _delays(axes: Axes, trial: Trial, scored: Scored) -> None:
    found = [
        first_above(series, scored.bound) - item.label.onset_s
        for item, series in zip(trial.test, scored.series, strict=True)
        if item.label.fault and not item.label.success
    ]
    known = [delay for delay in found if delay >= 0]
    axes.hist(known, bins=np.arange(0.0, max([1.0, *known]) + 0.25, 0.25).tolist(), color=GOOD)
    missed = len(found) - len(known)
    axes.set_xlabel(f"from a fault to its alarm, s ({missed} of {len(found)} never or before)")
    axes.set_ylabel("failed attempts")


def _help(axes: Axes, trial: Trial, scored: Scored) -> None:
    bad, tops = np.array([not item.label.success for item in trial.test]), np.array(scored.tops)
    points: list[tuple[float, float]] = []
    for bound in [np.inf, *sorted(set(tops), reverse=True)]:
        asked = tops > bound
        points.append((float(asked.mean()), 1.0 - float((bad & ~asked).mean())))
    axes.plot(*np.array(points).T, color=GOOD)
    asked = tops > scored.bound
    axes.plot([asked.mean()], [1.0 - (bad & ~asked).mean()], "o", color=BAD, label="the bound")
    axes.set_xlabel("attempts in which help is asked for")
    axes.set_ylabel("attempts that succeed, or get help")
    axes.legend()


PICTURES: dict[str, tuple[str, Draw]] = {
    "roc": ("Failures noticed against successes stopped", _roc),
    "bands": ("Score over time", _bands),
    "delays": ("Delay of alarms", _delays),
    "help": ("Help rate against success", _help),
}


def _counts(trial: Trial, scored: Scored) -> str:
    failed = sum(not item.label.success for item in trial.test)
    made = f"normal from {len(trial.fitting)} good attempts, bound from {len(trial.calibration)} others"
    return f"{made}: {scored.bound:.2f}; judged: {len(trial.test)} of other scenes, {failed} of them failed"


def _page(sections: list[tuple[str, str, list[tuple[str, str]]]]) -> str:
    parts = ["<!doctype html><meta charset=utf-8><title>Monitor</title>"]
    parts.append("<style>body{font:15px sans-serif;max-width:1360px;margin:2em auto}img{width:49%}</style>")
    for kind, counts, shown in sections:
        parts.append(f"<h1>Monitor of the {html.escape(kind)}</h1><p>{html.escape(counts)}</p>")
        parts += [f'<img src="{html.escape(name)}" alt="{html.escape(title)}">' for name, title in shown]
    return "\n".join(parts) + "\n"
