"""The monitor as the agent has it: which calibration watches whom, and what its alarms lead to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from agent.ladder import Ladder
from skills.router import PolicyKind, Route
from vla_low_level.flight import Executed
from vla_low_level.monitor import UNSEEING, Finding, Thresholds
from vla_low_level.monitoring.calibration import Calibration
from vla_low_level.monitoring.sample import felt, seen
from vla_low_level.monitoring.watch import DRAWS, Draw, Watch, finding
from vla_low_level.observation import F64, CameraImage, Observation
from vla_low_level.policy import Doubting, PolicyOutput, Whereabouts

_NEVER = float("inf")


class Mode(StrEnum):
    """Whether alarms are acted upon. WATCH: all is scored and recorded, and nothing is done about it."""

    OFF = "off"
    WATCH = "watch"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Settings of the monitor.

    Attributes:
        mode: Whether alarms are acted upon.
        calibrations: By kind of policy; one without is watched by plain limits.
        ladder: What alarms lead to.
        degraded: Why a calibration that there is cannot be used, by kind.
    """

    mode: Mode = Mode.ACT
    calibrations: Mapping[PolicyKind, Calibration] = field(default_factory=dict)
    ladder: Ladder = field(default_factory=Ladder)
    degraded: Mapping[PolicyKind, str] = field(default_factory=dict)

    def thresholds(self, route: Route, *, calibrated: bool) -> Thresholds:
        """The plain limits. Calibrated scores count the same things, but for contacts."""
        plain = Thresholds() if route.policy.cameras else UNSEEING
        if self.mode is not Mode.OFF and not calibrated:
            return plain
        yields = 10**9 if self.mode is Mode.OFF else plain.yields
        return Thresholds(_NEVER, _NEVER, _NEVER, _NEVER, yields, astray=10**9)

    def begin(self, route: Route, skill: str | None, now_s: float) -> Watched | None:
        """Watch an attempt without `strangers`; None without a calibration for its policy and skill."""
        calibration = self.calibrations.get(route.kind)
        if self.mode is Mode.OFF or calibration is None or skill not in calibration.card.channels.lasts_s:
            return None
        policy = route.policy if isinstance(route.policy, Doubting) else None
        return Watched(calibration, skill, now_s, policy)

    def strangers(self, route: Route, observation: Observation) -> tuple[str, ...]:
        """Cameras whose pictures the policy's calibration does not know."""
        calibration = self.calibrations.get(route.kind)
        if self.mode is Mode.OFF or calibration is None:
            return ()
        known = calibration.card.fingerprint.cameras
        return tuple(n for n, image in observation.images.items() if known.get(n) != _of_image(image))


class Watched:
    """One attempt under a calibrated watch.

    Attributes:
        parts: Scores by channel, of the latest moment before a chunk and the latest after one.
    """

    def __init__(
        self, calibration: Calibration, skill: str, started_s: float, policy: Doubting | None
    ) -> None:
        self._calibration, self._policy = calibration, policy
        self.parts: dict[str, float] = {}
        self._watch = Watch(calibration.card.channels, calibration.novelty, skill, started_s)

    @property
    def score(self) -> float:
        """The evidence so far."""
        return self._watch.score

    def see(self, observation: Observation, output: PolicyOutput, about: Whereabouts | None) -> Finding:
        """Before a chunk is sent."""
        moment = self._watch.see(seen(observation, output), off_m(output, about), self._draw(output))
        self.parts |= moment.parts
        return finding(moment, self._calibration)

    def _draw(self, output: PolicyOutput) -> Draw | None:
        policy, embedding = self._policy, output.features.get("embedding")
        if policy is None or embedding is None:
            return None
        return lambda: spread_m(policy, embedding)

    def feel(self, executed: Executed) -> Finding:
        """When it is over."""
        moment = self._watch.feel(felt(executed.output.chunk, executed.report))
        self.parts |= moment.parts
        return finding(moment, self._calibration)


def off_m(output: PolicyOutput, about: Whereabouts | None) -> float:
    """How far outside of where the subgoal lies the policy aims, m; NaN when that is not known."""
    aim_m = output.features.get("target_m")
    if aim_m is None or about is None:
        return float("nan")
    return about.off_m(aim_m) - about.radius_m


def spread_m(policy: Doubting, embedding: NDArray[np.float32]) -> float:
    """How far apart chunks end up that are drawn from one observation, m; the armed second stage."""
    return float(policy.spread(embedding, DRAWS)[:3].mean())


def camera_sha256(size_px: tuple[int, int], intrinsics: F64) -> str:
    """Of a camera's height and width and its intrinsics [3, 3]; where it stands may vary a little."""
    told = (*size_px, *np.round(intrinsics, 3).ravel().tolist())
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _of_image(image: CameraImage) -> str:
    height, width = image.depth_m.shape
    return camera_sha256((height, width), image.intrinsics)
