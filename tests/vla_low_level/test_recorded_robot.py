"""What moves the arm besides chunks is on record, and recording never stands in a stop's way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from traces import names
from traces.errors import TandemError
from traces.reader import read_run
from traces.recorder import Recorder
from vla_low_level.action import ActionChunk
from vla_low_level.observation import Observation
from vla_low_level.recorded_robot import RecordedRobot
from vla_low_level.robot import Decision, ExecutionReport, Robot, Verdict

REPORT = ExecutionReport(Verdict(Decision.PASS), 0, 1, 12, 0.05, "", latched=False, tracking_error_m=0.0)


class Diary:
    """A robot that only remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        raise TandemError("BODY_LOST", "no eyes")

    def execute(self, chunk: ActionChunk) -> ExecutionReport:
        self.told.append("execute")
        return REPORT

    def hold(self) -> None:
        self.told.append("hold")

    def stop(self, reason: str) -> None:
        self.told.append(f"stop {reason}")

    def reset(self, reason: str) -> None:
        self.told.append(f"reset {reason}")

    def close(self) -> None:
        self.told.append("close")


def test_everything_is_passed_on_and_the_rest_written_down(tmp_path: Path) -> None:
    diary = Diary()
    with Recorder.open(tmp_path, {}) as recorder, recorder.span(names.COMMAND):
        robot: Robot = RecordedRobot(diary, recorder)
        chunk = ActionChunk(np.zeros((1, 7), np.float32), 20.0, 1.0, 0, "test", 0)
        assert robot.execute(chunk) is REPORT
        robot.hold()
        robot.stop("button")
        robot.reset("checked")
        robot.close()
        with pytest.raises(TandemError, match="BODY_LOST"):
            robot.observe()
    assert diary.told == ["execute", "hold", "stop button", "reset checked", "close"]
    (root,) = read_run(tmp_path).roots
    assert [(log.name, log.attributes.get(names.REASON)) for log in root.logs] == [
        (names.BODY_HOLD, None),
        (names.BODY_STOP, "button"),
        (names.BODY_RESET, "checked"),
    ]


def test_a_dead_recorder_stops_resets_but_no_stop(tmp_path: Path) -> None:
    diary = Diary()
    recorder = Recorder.open(tmp_path, {})
    recorder.close()
    robot = RecordedRobot(diary, recorder)
    robot.stop("button")
    with pytest.raises(TandemError, match="TRACE_CLOSED"):
        robot.reset("checked")
    assert diary.told == ["stop button"]
