"""Watches a subgoal while it runs: is this going as it should?

The guard keeps the arm safe; the monitor keeps it honest. Its thresholds are plain limits on named
scores, so that an alarm can always be explained by one number and one bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from vla_low_level.action import ActionChunk
from vla_low_level.observation import CameraImage, Observation
from vla_low_level.policy import PolicyOutput, Whereabouts
from vla_low_level.robot import Decision, ExecutionReport

MIN_CONTRAST = 4.0
MIN_VALID_DEPTH = 0.7
# Nearer than this the hand itself hides what the policy aims at, m.
HIDES_M = 0.12


class Level(StrEnum):
    """How serious a finding is, mildest first."""

    OK = "ok"
    WARN = "warn"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Finding:
    """One score against its bounds.

    Attributes:
        name: What was measured.
        level: What it means.
        score: The measurement, in the unit its name says.
        threshold: The bound it passed, or the nearest one when it passed none.
    """

    name: str
    level: Level
    score: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds of the scores.

    Attributes:
        tracking_warn_m: Commanded against realised tool position that is worth a note, m.
        tracking_alarm_m: The same, that means something is in the way or an actuator is weak, m.
        stuck_s: Time without any commanded motion before the policy counts as stuck, s.
        clamped_warn: Share of a chunk's steps that the guard had to clamp.
        yields: Times in one attempt that the arm may yield to a push; at the next, something is in the way.
        astray: Looks in a row at which the policy may aim outside of where the subgoal lies.
    """

    tracking_warn_m: float = 0.015
    tracking_alarm_m: float = 0.028
    stuck_s: float = 3.0
    clamped_warn: float = 0.25
    yields: int = 3
    astray: int = 1


UNSEEING = Thresholds(yields=0)
"""For a policy without cameras: what it hit once it will hit again."""


class ChunkMonitor:
    """Scores one subgoal chunk by chunk. Make a new one for every attempt."""

    def __init__(self, started_s: float, budget_s: float, thresholds: Thresholds | None = None) -> None:
        self._started_s = started_s
        self._budget_s = budget_s
        self._thresholds = thresholds or Thresholds()
        self._still_s = 0.0
        self._yields = self._astray = 0

    def check_aim(
        self, observation: Observation, output: PolicyOutput, about: Whereabouts | None
    ) -> Finding | None:
        """Does the policy go where the subgoal lies? None when it does not say, or the hand is there already.

        Score: distance of the policy's own target from there, m.
        """
        aim_m = output.features.get("target_m")
        if about is None or aim_m is None:
            return None
        if about.off_m(observation.proprioception.ee_position_m) < about.radius_m + HIDES_M:
            return None
        off_m = about.off_m(aim_m)
        self._astray = 0 if off_m <= about.radius_m else self._astray + 1
        level = (Level.OK, Level.WARN)[min(1, self._astray)]
        if self._astray > self._thresholds.astray:
            level = Level.ALARM
        return Finding("aim_m", level, off_m, about.radius_m)

    def check(self, chunk: ActionChunk, report: ExecutionReport) -> tuple[Finding, ...]:
        """All scores of the chunk that was just executed, every one of them, alarming or not."""
        bounds = self._thresholds
        elapsed = report.time_s - self._started_s
        moved = np.abs(chunk.actions[:, :6]).max() > 1e-5 or np.ptp(chunk.actions[:, 6]) > 0
        self._still_s = 0.0 if moved else self._still_s + chunk.duration_s
        steps = max(1, round(report.rows_executed * 240 / chunk.rate_hz))
        return (
            _score("time_s", elapsed, float("inf"), self._budget_s),
            _score("still_s", self._still_s, float("inf"), bounds.stuck_s),
            _score("tracking_m", report.tracking_error_m, bounds.tracking_warn_m, bounds.tracking_alarm_m),
            _score("clamped_share", report.clamps / steps, bounds.clamped_warn, float("inf")),
            self._guard(report),
        )

    def _guard(self, report: ExecutionReport) -> Finding:
        """The guard's own word on the chunk, as a finding."""
        verdict = report.verdict
        level = Level.OK if verdict.decision in (Decision.PASS, Decision.CLAMP) else Level.ALARM
        if verdict.decision is Decision.HOLD and verdict.limit == "contact_force":
            self._yields += 1
            level = Level.ALARM if self._yields > self._thresholds.yields else Level.WARN
        name = f"guard_{verdict.limit}" if verdict.limit else "guard"
        return Finding(name, level, verdict.value, verdict.bound)


def _score(name: str, score: float, warn: float, alarm: float) -> Finding:
    """A finding from a score where more is worse."""
    if score > alarm:
        return Finding(name, Level.ALARM, score, alarm)
    if score > warn:
        return Finding(name, Level.WARN, score, warn)
    return Finding(name, Level.OK, score, min(warn, alarm))


def worst(findings: Sequence[Finding]) -> Finding:
    """The most serious finding, the first of them on a tie."""
    order = list(Level)
    return max(findings, key=lambda f: order.index(f.level))


def check_frame(image: CameraImage) -> Finding:
    """Is this frame a picture at all? Black, white, blank and depthless ones are not.

    Scores grey-level standard deviation (0..255) and then the share of finite, positive depth.
    """
    contrast = float(image.rgb.std())
    if contrast < MIN_CONTRAST:
        return Finding("camera_contrast", Level.ALARM, contrast, MIN_CONTRAST)
    valid = float((np.isfinite(image.depth_m) & (image.depth_m > 0)).mean())
    if valid < MIN_VALID_DEPTH:
        return Finding("camera_depth_valid", Level.ALARM, valid, MIN_VALID_DEPTH)
    return Finding("camera_contrast", Level.OK, contrast, MIN_CONTRAST)


class FreezeCheck:
    """Alarms when a camera repeats the same bytes although the arm has moved in between."""

    def __init__(self, moved_m: float = 0.01) -> None:
        self._moved_m = moved_m
        self._last: tuple[bytes, np.ndarray[tuple[int], np.dtype[np.float64]]] | None = None

    def check(self, observation: Observation, camera: str) -> Finding:
        """Score: how far the hand has moved between two identical frames, m."""
        frame = observation.images[camera].rgb.tobytes()
        hand = np.asarray(observation.proprioception.ee_position_m)
        last, self._last = self._last, (frame, hand)
        if last is None or last[0] != frame:
            return Finding("camera_frozen_m", Level.OK, 0.0, self._moved_m)
        return _score("camera_frozen_m", float(np.linalg.norm(hand - last[1])), float("inf"), self._moved_m)
