"""A calibration from good episodes: the first ones say what is normal, the others where to stop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vla_low_level.monitoring.calibration import Calibration, Card, Fingerprint
from vla_low_level.monitoring.channels import Channels, Good, fit_channels
from vla_low_level.monitoring.conformal import marginal_rank
from vla_low_level.monitoring.novelty import Novelty, fit_novelty
from vla_low_level.monitoring.sample import Felt, Seen
from vla_low_level.monitoring.scores import Row, Scorer
from vla_low_level.monitoring.watch import Moment, Watch

ALPHA_ACT, ALPHA_WARN = 0.05, 0.20
NOVELTY = frozenset({"mahalanobis", "neighbours"})
# Chunks of a skill below which its embeddings say too little.
LEAST_CHUNKS = 60
CHANNELS = (
    *("time", "still", "tracking", "residual", "clamped", "force", "reversals", "magnitude"),
    *("empty", "slip", "unmoved"),
    *("disagreement", "spread", "flow_novelty", "aim_jump", "aim_off", "entropy_table", "entropy_wrist"),
    *("mahalanobis", "neighbours", "sharpness_table", "sharpness_wrist", "contrast_table", "contrast_wrist"),
    *("view_shift", "view_change", "draws"),
)


@dataclass(frozen=True, slots=True)
class Episode:
    """One attempt, as it was kept.

    Attributes:
        skill: What was to be done.
        started_s: The body's clock at its beginning, s.
        seen: Of every chunk before it was sent.
        felt: Of every chunk when it was over.
        off_m: float64 [len(seen)], how far the policy aims outside of where the subgoal lies, m.
        spread: float64 [len(seen)], of `DRAWS` chunks drawn from one observation, m; NaN where none were.
        sha256: Of the file it was read from.
    """

    skill: str
    started_s: float
    seen: Sequence[Seen]
    felt: Sequence[Felt]
    off_m: NDArray[np.float64]
    spread: NDArray[np.float64]
    sha256: str = ""


def rows(episode: Episode, novelty: Novelty | None) -> list[Row]:
    """Every score of an episode in time, the second stage's at every chunk."""
    scorer, found = Scorer(episode.skill, episode.started_s, novelty), []
    for k, (seen, off_m) in enumerate(zip(episode.seen, episode.off_m, strict=True)):
        row = scorer.see(seen, float(off_m))
        if not np.isnan(episode.spread[k]):
            row.raw["draws"] = float(episode.spread[k])
        found.append(row)
        if k < len(episode.felt):
            found.append(scorer.feel(episode.felt[k]))
    return found


def moments(episode: Episode, channels: Channels, novelty: Novelty | None) -> list[tuple[float, Moment]]:
    """An episode as the monitor would have seen it: times since its beginning, s, and what it made of it."""
    watch, found = Watch(channels, novelty, episode.skill, episode.started_s), []
    for k, (seen, off_m) in enumerate(zip(episode.seen, episode.off_m, strict=True)):
        spread = float(episode.spread[k])
        draw = None if np.isnan(spread) else partial(float, spread)
        found.append((seen.time_s - episode.started_s, watch.see(seen, float(off_m), draw)))
        if k < len(episode.felt):
            felt = episode.felt[k]
            found.append((felt.time_s - episode.started_s, watch.feel(felt)))
    return found


def fit(good: Sequence[Episode], names: Sequence[str] = CHANNELS) -> tuple[Channels, Novelty | None]:
    """Normalisation from good episodes. Embeddings are compared with those of the first half only.

    Raises:
        ValueError: Without any episode.
    """
    half = good[: (len(good) + 1) // 2]
    novelty = _novelty(half)
    channels = fit_channels(
        [Good(e.skill, rows(e, None)) for e in good], [n for n in names if n not in NOVELTY]
    )
    others = good[len(half) :]
    if novelty is not None and others:
        found = fit_channels(
            [Good(e.skill, rows(e, novelty)) for e in others], [n for n in names if n in NOVELTY]
        )
        channels = channels.model_copy(update={"channels": {**channels.channels, **found.channels}})
    return channels, novelty


def top(episode: Episode, channels: Channels, novelty: Novelty | None) -> float:
    """The score of a whole episode."""
    return max((moment.score for _, moment in moments(episode, channels, novelty)), default=0.0)


def calibrate(
    good: Sequence[Episode],
    others: Sequence[Episode],
    fingerprint: Fingerprint,
    *,
    alpha: float = ALPHA_ACT,
    names: Sequence[str] = CHANNELS,
) -> Calibration:
    """Fit to `good`, take thresholds from `others`. All must be successes of nominal episodes.

    Raises:
        TandemError: `CALIBRATION_SMALL` when there are too few of `others` for `alpha`.
    """
    marginal_rank(len(others), alpha)
    channels, novelty = fit(good, names)
    scores = sorted(top(e, channels, novelty) for e in others)
    digest = hashlib.sha256("".join(sorted(e.sha256 for e in (*good, *others))).encode()).hexdigest()
    card = Card(
        fingerprint=fingerprint,
        data=digest,
        alpha_act=alpha,
        alpha_warn=max(alpha, ALPHA_WARN),
        channels=channels,
        scores=tuple(scores),
        fitted=len(good),
        skills=novelty.skills if novelty else (),
    )
    return Calibration(card, novelty)


def _novelty(good: Sequence[Episode]) -> Novelty | None:
    by_skill: dict[str, list[NDArray[np.float32]]] = {}
    for episode in good:
        for seen in episode.seen:
            if (embedding := seen.features.get("embedding")) is not None:
                by_skill.setdefault(episode.skill, []).append(embedding)
    enough = {skill: found for skill, found in by_skill.items() if len(found) >= LEAST_CHUNKS}
    return fit_novelty(enough) if enough else None
