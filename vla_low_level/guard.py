"""The guard: judges every chunk and every 240 Hz step, and trusts nobody.

It runs in the body's process. Chunks come from another process and may hold anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_low_level.action import ACTION_DIM, MAX_HORIZON
from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import Limits
from vla_low_level.motion import Motion, length, stop_time_s
from vla_low_level.plant import CONTROL_HZ, PlantState
from vla_low_level.robot import Decision, Verdict

F64 = NDArray[np.float64]

PASSED = Verdict(Decision.PASS)
MIN_RATE_HZ = 5.0
# Tolerance for rounding: the shaped motion touches its limits on purpose.
SLACK = 1.02

ROUNDING = 1e-9
# A chunk that begins in contact may push this much harder than when it began.
REPEAT_SHARE = 1.1
# Braking evenly takes half of (speed x time), and a little more, because the Jacobian changes on the way.
STOP_PATH = 0.55
# Further than this from the box, how the braking path bends does not matter.
NEAR_M = 0.03

_SEVERITY = {decision: k for k, decision in enumerate(Decision)}


def more_severe(one: Verdict, other: Verdict) -> Verdict:
    """The graver of two verdicts, the first on a tie."""
    return other if _SEVERITY[other.decision] > _SEVERITY[one.decision] else one


@dataclass(frozen=True, slots=True)
class ChunkHeader:
    """What comes with the rows of a chunk. Fields as in `ActionChunk`."""

    rate_hz: float
    expires_s: float
    chunk_id: int


class Guard:
    """Judges against `Limits`. Keeps the number of the last chunk, and how hard the arm pushes."""

    def __init__(self, kinematics: Kinematics, limits: Limits) -> None:
        self._kinematics = kinematics
        self.limits = limits
        self._contact_hold_n = limits.contact_hold_n
        self._hard_steps = 0
        self.forget()

    def forget(self) -> None:
        """Chunk numbers begin anew."""
        self._last_chunk = -1

    def feel(self, state: PlantState) -> None:
        """A chunk begins now. An arm that is pushed already may move away; pushing harder holds."""
        self._contact_hold_n = max(self.limits.contact_hold_n, REPEAT_SHARE * state.contact_force_n)

    def check_chunk(self, actions: object, header: ChunkHeader, now_s: float) -> Verdict:
        """Judge a whole chunk before its first step: HOLD refuses all of it, CLAMP lets it run slower.

        A chunk numbered 0 begins a new command; otherwise numbers must grow.
        """
        if not isinstance(actions, np.ndarray) or actions.dtype != np.float32:
            return Verdict(Decision.HOLD, "dtype")
        if actions.ndim != 2 or actions.shape[1] != ACTION_DIM or not 1 <= len(actions) <= MAX_HORIZON:
            return Verdict(Decision.HOLD, "shape", float(actions.size), float(MAX_HORIZON * ACTION_DIM))
        if not np.isfinite(actions).all():
            return Verdict(Decision.HOLD, "finite", float("nan"), 0.0)
        if not self._rate_fits(header.rate_hz):
            return Verdict(Decision.HOLD, "rate", header.rate_hz, float(CONTROL_HZ))
        if header.chunk_id == 0:
            # Even one that comes too late says that the numbers begin anew.
            self._last_chunk = -1
        if not np.isfinite(header.expires_s) or now_s > header.expires_s:
            return Verdict(Decision.HOLD, "expired", now_s, header.expires_s)
        if header.expires_s > now_s + self.limits.age_s:
            return Verdict(Decision.HOLD, "age", header.expires_s - now_s, self.limits.age_s)
        if header.chunk_id <= self._last_chunk:
            return Verdict(Decision.HOLD, "sequence", float(header.chunk_id), float(self._last_chunk))
        self._last_chunk = header.chunk_id
        return self._check_rows(actions.astype(np.float64), header.rate_hz)

    def check_state(self, state: PlantState, commanded: Motion, step: int) -> Verdict:
        """Judge what the plant says: alive, not pushing hard against anything, following its commands."""
        verdict = self.check_alive(state, step)
        if verdict.decision is not Decision.PASS:
            return verdict
        if not state.contact_force_n <= self._contact_hold_n:
            return Verdict(Decision.HOLD, "contact_force", state.contact_force_n, self._contact_hold_n, step)
        error = tracking_error_m(state, commanded)
        if error > self.limits.tracking_m:
            return Verdict(Decision.HOLD, "tracking", error, self.limits.tracking_m, step)
        return PASSED

    def check_alive(self, state: PlantState, step: int) -> Verdict:
        """Judge what must be so even when nothing moves: finite numbers, and no hard push that lasts."""
        if not (
            np.isfinite(state.joint_position_rad).all() and np.isfinite(state.joint_velocity_rad_s).all()
        ):
            return Verdict(Decision.STOP, "state_finite", float("nan"), 0.0, step)
        force, bound = state.contact_force_n, self.limits.contact_stop_n
        self._hard_steps = 0 if force <= bound else self._hard_steps + 1
        if self._hard_steps >= self.limits.contact_stop_steps:
            return Verdict(Decision.STOP, "contact_force", force, bound, step)
        return PASSED

    def check_step(self, before: Motion, after: Motion, step: int) -> Verdict:
        """Judge the next joint targets, the last thing before the motors.

        CLAMP means: not this one; slow down on the present path instead. That is always inside the limits,
        because a motion is let through only when braking from it ends before the box and the joint limits.
        """
        if not np.isfinite(after.joint_rad).all():
            return Verdict(Decision.STOP, "command_finite", float("nan"), 0.0, step)
        for name, value, bound in self._measures(before, after):
            if not value <= bound + ROUNDING:
                return Verdict(Decision.CLAMP, name, value, bound, step)
        return PASSED

    def _measures(self, before: Motion, after: Motion) -> Iterator[tuple[str, float, float]]:
        """Each limit of a step: name, value, bound."""
        limits = self.limits
        speed = np.abs(after.joint_speed_rad_s) / limits.joint_speed_rad_s
        worst = int(np.argmax(speed))
        bound = float(limits.joint_speed_rad_s[worst])
        yield "joint_speed", float(speed[worst]) * bound, bound
        yield "ee_speed", after.speed_m_s, limits.ee_speed_m_s
        yield "ee_turn", after.turn_rad_s, limits.ee_turn_rad_s
        change = (after.twist - before.twist) * CONTROL_HZ
        yield "ee_acceleration", length(change[:3]), limits.ee_acceleration_m_s2
        yield "ee_turn_acceleration", length(change[3:]), limits.ee_turn_acceleration_rad_s2
        stop_rad = after.joint_rad + after.joint_speed_rad_s * (STOP_PATH * stop_time_s(after, limits))
        margin = limits.joint_margin_rad
        low, high = limits.joint_low_rad + margin, limits.joint_high_rad - margin
        yield "joint_position", *_furthest_out(stop_rad, before.joint_rad, low, high)
        yield "box", *self._stop_in_box(before, after, stop_rad)

    def _stop_in_box(self, before: Motion, after: Motion, stop_rad: F64) -> tuple[float, float]:
        """Where the tool would come to rest, on the axis that is furthest out, and the bound there."""
        low, high = self.limits.box_low_m, self.limits.box_high_m
        straight = after.position_m + after.jacobian[:3] @ (stop_rad - after.joint_rad)
        if (straight > low + NEAR_M).all() and (straight < high - NEAR_M).all():
            return _furthest_out(straight, before.position_m, low, high)
        rest, _, _ = self._kinematics.forward(stop_rad)
        # The way there bends: an arc stands out from its chord by a quarter of what it leaves its tangent by.
        bend = 0.25 * length(rest - straight)
        return _furthest_out(rest, before.position_m, low + bend, high - bend)

    def _rate_fits(self, rate_hz: float) -> bool:
        """Rows must last a whole number of control steps."""
        if not np.isfinite(rate_hz) or not MIN_RATE_HZ <= rate_hz <= CONTROL_HZ:
            return False
        steps = CONTROL_HZ / rate_hz
        return abs(steps - round(steps)) < 1e-9

    def _check_rows(self, rows: F64, rate_hz: float) -> Verdict:
        limits = self.limits
        for name, columns, bound in (
            ("ee_speed", slice(0, 3), limits.ee_speed_m_s),
            ("ee_turn", slice(3, 6), limits.ee_turn_rad_s),
        ):
            fastest = float(np.linalg.norm(rows[:, columns], axis=1).max()) * rate_hz
            if fastest > limits.reject_factor * bound:
                return Verdict(Decision.HOLD, name, fastest, bound)
            if fastest > SLACK * bound:
                return Verdict(Decision.CLAMP, name, fastest, bound)
        grip = rows[:, 6]
        if grip.min() < -0.05 or grip.max() > 1.05:
            return Verdict(Decision.HOLD, "gripper", float(grip[np.argmax(np.abs(grip - 0.5))]), 1.0)
        return PASSED


def tracking_error_m(state: PlantState, motion: Motion) -> float:
    """Distance between commanded and measured tool centre point, to first order in the joint errors."""
    return length(motion.jacobian[:3] @ (motion.joint_rad - state.joint_position_rad))


def _furthest_out(value: F64, before: F64, low: F64, high: F64) -> tuple[float, float]:
    """The value that is most outside and its bound; who is already outside may come back, not go further."""
    low, high = np.minimum(low, before), np.maximum(high, before)
    beyond = np.maximum(low - value, value - high)
    worst = int(np.argmax(beyond))
    if value[worst] < low[worst]:
        return -float(value[worst]), -float(low[worst])
    return float(value[worst]), float(high[worst])
