"""The crash measurements, small: nothing acknowledged is lost, nothing damaged passes for sound."""

from __future__ import annotations

import errno

import pytest

from traces import crash


def test_killed_at_random_moments() -> None:
    figures = crash.kill(3, seed=1)
    assert figures["acknowledged_records"] > 3
    assert (figures["lost"], figures["not_accepted_by_verify"], figures["open_spans_not_shown_as_lost"]) == (
        0,
        0,
        0,
    )


def test_flipped_bits() -> None:
    assert crash.flip(60, seed=1) == {"flips": 60, "silently_accepted": 0, "rest_not_opened": 0}


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("nth", [0, 1, 2, 5])
def test_a_failing_call_ends_the_work(tmp_path, call: str, nth: int) -> None:
    begun, struck = crash._fail_once(tmp_path / "run", call, errno.EIO, nth)
    assert (begun, struck) == (0, True)


def test_the_measurement_would_notice_work_that_goes_on(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A log that swallows its failures.
    for method in ("_fail", "latch"):
        monkeypatch.setattr(f"traces.wal.WalWriter.{method}", lambda _self, _cause: None)
    begun, struck = crash._fail_once(tmp_path / "run", "fsync", errno.EIO, 0)
    assert struck
    assert begun > 0
