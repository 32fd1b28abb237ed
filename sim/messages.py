"""What mind and body say to each other, as messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_low_level.limits import Limits
from vla_low_level.observation import CameraImage, Observation, Proprioception
from vla_low_level.robot import Decision, Ended, ExecutionReport, Progress, Verdict
from vla_low_level.wire import Message

_IMAGE = ("rgb", "depth_m", "intrinsics", "pose")
_GOAL = ("goal_m", "goal_rotation")
_SCALARS = ("gripper_opening", "contact_force_n")


def from_observation(seen: Observation) -> Message:
    """An observation on its way to the mind."""
    body = seen.proprioception
    names = [item.name for item in fields(Proprioception) if item.name not in _SCALARS]
    arrays: dict[str, NDArray[Any]] = {name: getattr(body, name) for name in names}
    for camera, image in seen.images.items():
        arrays |= {f"{camera}.{part}": getattr(image, part) for part in _IMAGE}
    scalars = {name: float(getattr(body, name)) for name in _SCALARS}
    about = {"time_s": seen.time_s, "sequence": seen.sequence, "cameras": list(seen.images)}
    return Message("observation", {**about, **scalars}, arrays)


def to_observation(message: Message) -> Observation:
    """An observation that has arrived."""
    arrays, told = message.arrays, message.fields
    body: dict[str, Any] = {
        item.name: arrays[item.name] for item in fields(Proprioception) if item.name not in _SCALARS
    }
    images = {
        camera: CameraImage(**{part: arrays[f"{camera}.{part}"] for part in _IMAGE})
        for camera in told["cameras"]
    }
    scalars = {name: told[name] for name in _SCALARS}
    return Observation(images, Proprioception(**body, **scalars), told["time_s"], told["sequence"])


def from_report(report: ExecutionReport) -> Message:
    """A report on its way to the mind."""
    return Message("report", asdict(report))


def to_report(message: Message) -> ExecutionReport:
    """A report that has arrived."""
    return _report(message.fields)


def from_progress(progress: Progress) -> Message:
    """Progress on its way to the mind."""
    told = asdict(progress)
    return Message("progress", told, {name: told.pop(name) for name in _GOAL})


def to_progress(message: Message) -> Progress:
    """Progress that has arrived."""
    told = dict(message.fields)
    ended = tuple(Ended(**{**item, "report": _report(item["report"])}) for item in told.pop("ended"))
    told |= {name: message.arrays[name] for name in _GOAL}
    return Progress(ended=ended, **told)


def _report(fields_of: Mapping[str, Any]) -> ExecutionReport:
    told = dict(fields_of)
    verdict = dict(told.pop("verdict"))
    verdict["decision"] = Decision(verdict["decision"])
    return ExecutionReport(verdict=Verdict(**verdict), **told)


def from_limits(limits: Limits) -> dict[str, Any]:
    """Limits as JSON."""
    return {name: np.asarray(value).tolist() for name, value in vars(limits).items()}


def to_limits(told: dict[str, Any]) -> Limits:
    """Limits from JSON."""
    values: dict[str, Any] = {k: np.array(v) if isinstance(v, list) else v for k, v in told.items()}
    return Limits(**values)
