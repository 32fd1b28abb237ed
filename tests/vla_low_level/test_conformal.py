import numpy as np
import pytest

from traces.errors import TandemError
from vla_low_level.monitoring.conformal import (
    StaleWatch,
    least_episodes,
    marginal_rank,
    pac_rank,
    threshold,
)


@pytest.mark.parametrize(("n", "rank"), [(19, 19), (20, 20), (60, 58), (200, 191)])
def test_rank_at_five_percent(n, rank):
    assert marginal_rank(n, 0.05) == rank


@pytest.mark.parametrize(("n", "rank"), [(60, 60), (100, 99), (200, 196), (400, 388)])
def test_rank_that_holds_for_nearly_every_calibration_set(n, rank):
    assert pac_rank(n, 0.05) == rank


@pytest.mark.parametrize(("n", "alpha"), [(18, 0.05), (8, 0.1), (0, 0.2)])
def test_too_few_episodes_are_refused_and_the_error_says_how_many_it_takes(n, alpha):
    with pytest.raises(TandemError, match=f"it takes {least_episodes(alpha)}") as caught:
        marginal_rank(n, alpha)
    assert caught.value.code == "CALIBRATION_SMALL"
    assert str(least_episodes(alpha) - n) in caught.value.fix


def test_a_pac_threshold_needs_more_than_a_marginal_one():
    with pytest.raises(TandemError):
        pac_rank(58, 0.05)
    assert pac_rank(59, 0.05) == 59


@pytest.mark.parametrize("n", [10, 20])
def test_an_interpolated_quantile_alarms_more_often_than_promised_and_the_rank_does_not(n):
    """The mistake of published code, at the sizes that papers calibrate with."""
    rng, alpha = np.random.default_rng([6, n]), 0.10
    calibration, new = rng.gumbel(size=(20_000, n)), rng.gumbel(size=20_000)
    plain = (new > np.quantile(calibration, 1 - alpha, axis=1)).mean()
    exact = np.mean(
        [s > threshold(c, marginal_rank(n, alpha)) for c, s in zip(calibration[:4000], new, strict=False)]
    )
    assert plain > alpha + 0.02
    assert exact < alpha + 0.015


def test_one_infinite_score_among_twenty_means_that_nothing_is_stopped():
    scores = [*np.linspace(0, 1, 19), 1e9]
    assert threshold(scores, marginal_rank(20, 0.05)) == 1e9


def test_a_calibration_that_still_holds_is_rarely_called_stale():
    rng = np.random.default_rng(7)
    called = 0
    for run in range(200):
        watch = StaleWatch(rng.normal(size=60), seed=run)
        called += any(watch.add(score) >= 100 for score in rng.normal(size=200))
    assert called <= 6


def test_a_calibration_that_no_longer_holds_is_noticed():
    rng = np.random.default_rng(8)
    watch = StaleWatch(rng.normal(size=200))
    assert not watch.stale()
    needed = next(
        k for k, s in enumerate(rng.normal(1.5, 1.0, 300), start=1) if watch.add(s) and watch.stale()
    )
    assert needed <= 60


def test_scores_that_are_all_alike_are_no_evidence():
    watch = StaleWatch([1.0] * 50, seed=3)
    assert max(watch.add(1.0) for _ in range(200)) < 100
