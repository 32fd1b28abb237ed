"""How faults are written down and read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.faults.catalogue import CATALOGUE
from sim.faults.kinds import FailureClass, Kind
from sim.faults.page import render
from sim.faults.spec import Fault, Injection, parse_fault
from traces.errors import TandemError


def test_a_fault_is_read_with_its_defaults() -> None:
    fault = parse_fault("camera_shift")
    assert (fault.magnitude, fault.onset_s, fault.duration_s, fault.aim) == (0.05, 0.0, None, "")
    assert fault.failure is FailureClass.STALE_CALIBRATION
    fault = parse_fault("camera_shift/wrist:0.01@3s+2s")
    assert (fault.magnitude, fault.onset_s, fault.duration_s, fault.aim) == (0.01, 3.0, 2.0, "wrist")
    assert parse_fault("black_frame@1.5").onset_s == 1.5


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    kind: Kind = draw(st.sampled_from(sorted(CATALOGUE.values(), key=lambda k: k.name)))
    lasts = st.none() if kind.lasts_s == 0.0 else st.none() | st.floats(0.0, 100.0)
    size = st.floats(kind.size.low, kind.size.high) if kind.size.unit else st.just(kind.size.default)
    return Fault(
        name=kind.name, magnitude=draw(size), onset_s=draw(st.floats(0.0, 100.0)), duration_s=draw(lasts)
    )


@given(faults())
def test_what_is_written_is_read_back(fault: Fault) -> None:
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("camera_shft", "FAULT_UNKNOWN", "did you mean camera_shift"),
        ("gremlins", "FAULT_UNKNOWN", "tandem faults"),
        ("camera_shift:9", "FAULT_INVALID", "0.002 to 0.3 m"),
        ("camera_shift:", "FAULT_INVALID", "NAME"),
        ("", "FAULT_INVALID", "NAME"),
        ("gain:nan", "FAULT_INVALID", "NAME"),
        ("gain:0.5@-1s", "FAULT_INVALID", "onset_s"),
        ("black_frame:2", "FAULT_INVALID", "no magnitude"),
        ("object_moved@1s+2s", "FAULT_INVALID", "no duration"),
        ("gain/wrist", "FAULT_INVALID", "cannot be aimed"),
        ("black_frame/front", "FAULT_INVALID", "overhead and wrist"),
        ("gain@1s+99999s", "FAULT_INVALID", "duration_s"),
    ],
)
def test_what_cannot_be_is_refused_with_cause_and_fix(text: str, code: str, says: str) -> None:
    with pytest.raises(TandemError, match=says) as caught:
        parse_fault(text)
    assert caught.value.code == code
    assert caught.value.fix


def test_too_many_are_refused() -> None:
    with pytest.raises(TandemError, match="17 faults"):
        Injection.parse(["gain"] * 17)


def test_a_fault_from_elsewhere_is_checked_as_well() -> None:
    with pytest.raises(ValidationError, match="no fault 'x'"):
        Fault(name="x", magnitude=1.0)


def test_reverting_ends_a_fault_and_leaves_the_others() -> None:
    injection = Injection.parse(["gain:0.5@1s", "camera_shift@2s"], 3)
    assert injection.faults[0].until(4.0).lasts_s == 3.0
    assert injection.without(0).faults == injection.faults[1:]


def test_the_page_is_the_catalogue() -> None:
    page = Path(__file__).parents[2] / "docs" / "faults.md"
    assert render() == page.read_text(encoding="utf-8"), "python -m sim.faults.page > docs/faults.md"
