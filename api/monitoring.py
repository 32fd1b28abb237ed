"""The monitor of a run: which calibrations there are, and whether they are of this robot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from traces.errors import TandemError

if TYPE_CHECKING:
    from agent.ladder import Ladder
    from agent.monitoring import Monitoring
    from api.options import RunOptions
    from skills.router import PolicyKind
    from vla_low_level.monitoring.calibration import Calibration, Fingerprint
    from vla_low_level.monitoring.keep import Kept
    from vla_low_level.policy import Policy

SHIPPED = Path(__file__).resolve().parents[1] / "vla_low_level" / "monitoring" / "weights"
MODES = ("act", "watch", "plain", "off", "strict")
"""`plain`: limits that nobody calibrated. `strict`: as `act`, or not at all."""


def load_monitoring(options: RunOptions, policies: Mapping[PolicyKind, Policy]) -> Monitoring:
    """Load the calibrations of the policies that there are.

    What is not of this policy, arm or clock is left out, and the record and the terminal say so; that policy
    is then watched by plain limits.

    Raises:
        TandemError: `OPTION_INVALID` for a mode or rung that there is not, `CALIBRATION_MISMATCH` in strict
            mode, `CALIBRATION_CORRUPT`, and `CALIBRATION_MISSING` for a folder that was asked for.
    """
    from agent.monitoring import Mode, Monitoring
    from vla_low_level.monitoring.calibration import Calibration

    if options.monitor not in MODES:
        raise TandemError(
            "OPTION_INVALID", f"--monitor {options.monitor[:40]}", fix=f"use one of {', '.join(MODES)}"
        )
    strict, ladder = options.monitor == "strict", _ladder(options.on_alarm)
    mode = Mode.ACT if options.monitor in ("strict", "plain") else Mode(options.monitor)
    if options.monitor in ("off", "plain"):
        return Monitoring(mode, ladder=ladder)
    found, degraded = {}, {}
    for kind, policy in policies.items():
        folder = (options.calibration or SHIPPED) / kind.value
        try:
            calibration = Calibration.load(folder)
        except TandemError as error:
            if error.code != "CALIBRATION_MISSING" or strict or options.calibration is not None:
                raise
            degraded[kind] = "there is no calibration"
            continue
        ours = fingerprint(policy, options.arm, options.clock, calibration.card.fingerprint.cameras)
        if wrong := ours.differences(calibration.card.fingerprint):
            degraded[kind] = f"its calibration is of another {' and '.join(wrong)}"
            if strict:
                raise TandemError(
                    "CALIBRATION_MISMATCH",
                    f"the {kind.value} is not what it was calibrated as: another {' and '.join(wrong)}",
                    fix="make a calibration of it: tandem calibrate, or run with --monitor act",
                )
        else:
            found[kind] = calibration
    return Monitoring(mode, found, ladder, degraded)


def monitoring_facts(monitoring: Monitoring) -> dict[str, object]:
    """What watches a run, for its record."""
    from traces import names

    told = {kind.value: f"data {c.card.data[:12]}" for kind, c in monitoring.calibrations.items()}
    told |= {kind.value: why for kind, why in monitoring.degraded.items()}
    return {names.MONITOR_MODE: monitoring.mode.value, names.MONITOR_CALIBRATIONS: json.dumps(told)}


def monitoring_notes(monitoring: Monitoring) -> tuple[str, ...]:
    """What a person should know before anything moves."""
    return tuple(
        f"the monitor watches the {kind.value} by plain limits only: {why}"
        for kind, why in monitoring.degraded.items()
    )


def fingerprint(policy: Policy, arm: str, clock: str, cameras: Mapping[str, str]) -> Fingerprint:
    """What a calibration of this policy on this arm holds for; `cameras` are checked at the first look."""
    from vla_low_level.monitoring.calibration import Fingerprint

    return Fingerprint(
        policy=policy.policy_id, cameras=dict(cameras), controller=controller_sha256(arm), clock=clock
    )


def cameras_sha256(names: Iterable[str]) -> dict[str, str]:
    """Of the simulated cameras of these names."""
    from agent.monitoring import camera_sha256
    from sim import cameras

    known = {"table": cameras.TABLE, "wrist": cameras.WRIST}
    return {n: camera_sha256((known[n].height_px, known[n].width_px), known[n].intrinsics) for n in names}


def make_calibration(kept: Sequence[Kept], policy: Policy, arm: str, alpha: float) -> Calibration:
    """A calibration of a policy from kept attempts; the first half says what is normal.

    Raises:
        TandemError: `CALIBRATION_FOREIGN` when an attempt is of another policy, `CALIBRATION_SMALL` when too
            few are good.
    """
    from vla_low_level.monitoring.make import calibrate
    from vla_low_level.monitoring.trial import halves

    foreign = next((item for item in kept if item.label.policy != policy.policy_id), None)
    if foreign is not None:
        raise TandemError(
            "CALIBRATION_FOREIGN",
            f"an attempt is of {foreign.label.policy}, the policy is {policy.policy_id}",
            fix="calibrate with attempts of this policy only",
        )
    normal, others = halves(kept, alpha)
    print_ = fingerprint(policy, arm, "lockstep", cameras_sha256(policy.cameras))
    return calibrate([k.episode for k in normal], [k.episode for k in others], print_, alpha=alpha)


def controller_sha256(arm: str) -> str:
    """Of everything that bounds and drives the arm's motion. Raises LookupError for an unknown arm."""
    import numpy as np

    from sim.arms import embodiment
    from vla_low_level.plant import CONTROL_HZ

    body = embodiment(arm)
    told = (body.name, body.home_rad.tolist(), body.torque_n_m, CONTROL_HZ)
    limits = [(name, np.asarray(value).tolist()) for name, value in sorted(vars(body.limits).items())]
    return hashlib.sha256(repr((told, limits)).encode()).hexdigest()


def _ladder(rungs: tuple[str, ...]) -> Ladder:
    from agent.ladder import AFTER_HOLDING, Ladder, Response

    if not rungs:
        return Ladder()
    try:
        return Ladder(rungs=tuple(Response(rung) for rung in rungs))
    except ValueError as error:
        raise TandemError(
            "OPTION_INVALID",
            f"--on-alarm {','.join(rungs)[:60]}",
            fix=f"give a list of {', '.join(AFTER_HOLDING)}, as in retry,replan,ask",
        ) from error
