"""What one chunk tells a monitor, before it is carried out and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vla_low_level.action import ActionChunk
from vla_low_level.monitoring.frames import reduced
from vla_low_level.observation import Observation
from vla_low_level.policy import PolicyOutput
from vla_low_level.robot import ExecutionReport

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

CLOSED_BELOW = 0.55
"""A gripper command below this holds; above, it lets go."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a chunk before it is sent.

    Attributes:
        time_s: The body's clock at the observation, s.
        plan: float32 [H, 7], the whole chunk, also the rows that will not be carried out.
        rate_hz: Rows a second.
        hand_m: float64 [3], measured tool centre point, world.
        opening: Measured opening of the fingers, 0..1.
        grip: Commanded opening of the fingers, 0..1.
        force_n: Contact force on hand and arm, N.
        features: What the policy says of itself, by name; empty for policies that say nothing.
        frames: uint8 [h, w] by camera, brought down to what frame checks need.
    """

    time_s: float
    plan: F32
    rate_hz: float
    hand_m: F64
    opening: float
    grip: float
    force_n: float
    features: Mapping[str, F32] = field(default_factory=dict)
    frames: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def closed(self) -> bool:
        """The fingers are told to hold."""
        return self.grip < CLOSED_BELOW


@dataclass(frozen=True, slots=True)
class Felt:
    """What became of a chunk.

    Attributes:
        time_s: The body's clock at its end, s.
        moved_m: float64 [3], what the rows that were carried out should have moved the tool by.
        rows: How many were carried out in full.
        still: None of them asks for motion.
        tracking_m: Largest distance between commanded and measured tool centre point, m.
        clamped: Share of the control steps that the guard clamped.
    """

    time_s: float
    moved_m: F64
    rows: int
    still: bool
    tracking_m: float
    clamped: float


def seen(observation: Observation, output: PolicyOutput) -> Seen:
    """What an observation and the chunk made from it tell."""
    body = observation.proprioception
    return Seen(
        time_s=observation.time_s,
        plan=output.features.get("planned", output.chunk.actions),
        rate_hz=output.chunk.rate_hz,
        hand_m=body.ee_position_m,
        opening=body.gripper_opening,
        grip=float(body.last_command[6]),
        force_n=body.contact_force_n,
        features={name: value for name, value in output.features.items() if name != "planned"},
        frames={name: reduced(image.rgb) for name, image in observation.images.items()},
    )


def felt(chunk: ActionChunk, report: ExecutionReport, control_hz: float = 240.0) -> Felt:
    """What the body reports of a chunk."""
    done = chunk.actions[: report.rows_executed]
    steps = max(1.0, report.rows_executed * control_hz / chunk.rate_hz)
    moving = bool(np.abs(chunk.actions[:, :6]).max() > 1e-5 or np.ptp(chunk.actions[:, 6]) > 0)
    return Felt(
        time_s=report.time_s,
        moved_m=done[:, :3].astype(np.float64).sum(0),
        rows=report.rows_executed,
        still=not moving,
        tracking_m=report.tracking_error_m,
        clamped=report.clamps / steps,
    )
