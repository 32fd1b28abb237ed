import math

import pytest

from scenarios.monitor_metrics import (
    Judged,
    auroc,
    balanced_accuracy,
    clustered,
    paired,
    timely_accuracy,
)

NEVER = float("nan")


def attempt(seed: int, *, failed: bool, alarm_s: float = NEVER, onset_s: float = NEVER) -> Judged:
    return Judged(seed, failed, alarm_s, 10.0, onset_s)


def test_an_alarm_counts_for_what_it_saves():
    items = [attempt(1, failed=True, alarm_s=2.5), attempt(2, failed=True), attempt(3, failed=False)]
    assert balanced_accuracy(items) == pytest.approx((0.5 + 1.0) / 2)
    assert timely_accuracy(items) == pytest.approx((0.375 + 1.0) / 2)


def test_a_delay_is_counted_from_the_onset_and_never_negative():
    assert attempt(1, failed=True, alarm_s=3.0, onset_s=2.5).delay_s == pytest.approx(0.5)
    assert math.isnan(attempt(1, failed=True, alarm_s=2.0, onset_s=2.5).delay_s)
    assert math.isnan(attempt(1, failed=True, onset_s=2.5).delay_s)


def test_the_area_under_the_curve_counts_ties_half():
    assert auroc([True, True, False, False], [2, 3, 0, 1]) == 1.0
    assert auroc([True, False], [1, 1]) == 0.5
    assert math.isnan(auroc([True, True], [1, 2]))


def test_an_interval_over_few_scenes_is_wide_and_holds_the_figure():
    items = [attempt(k // 4, failed=k % 2 == 0, alarm_s=1.0 if k % 3 else NEVER) for k in range(24)]
    figure, low, high = clustered(items, balanced_accuracy, draws=200)
    assert low <= figure <= high
    assert high - low > 0.05
    assert all(math.isnan(value) for value in clustered([], balanced_accuracy, draws=10)[1:])


def test_the_same_alarms_are_no_better_and_worse_ones_are():
    ours = [attempt(k, failed=k % 2 == 0, alarm_s=1.0 if k % 2 == 0 else NEVER) for k in range(40)]
    blind = [attempt(k, failed=k % 2 == 0) for k in range(40)]
    assert paired(ours, ours, balanced_accuracy, draws=100) == (0.0, 0.0, 0.0)
    better, low, _ = paired(ours, blind, balanced_accuracy, draws=100)
    assert better == pytest.approx(0.5)
    assert low > 0.4
