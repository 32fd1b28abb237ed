"""What a policy was shown and told, as facts and blobs of a trace, and back again.

Writing and reading stand side by side, so that decisions can be made again from what they were made from.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from traces import names
from traces.blobs import BlobStore
from traces.recorder import Recorder
from vla_low_level.monitor import Finding
from vla_low_level.observation import CameraImage, Observation, Proprioception
from vla_low_level.policy import GraspTarget, Instruction, ReleaseTarget, RetreatTarget, Target, Whereabouts
from vla_low_level.robot import ExecutionReport

Facts = dict[str, str | int | float | None]

_TARGETS: dict[str, type[Target]] = {
    kind.__name__: kind for kind in (GraspTarget, ReleaseTarget, RetreatTarget)
}


def observation_facts(
    recorder: Recorder, seen: Observation, cameras: Sequence[str], *, depth: bool = False
) -> Facts:
    """Store an observation: the arm's state and, of the named cameras, picture, calibration, depth if wanted.

    Raises:
        TandemError: `STORE_FULL`, `STORE_READ_ONLY` or `STORE_IO`.
    """
    facts: Facts = {
        names.OBSERVATION_SEQUENCE: seen.sequence,
        names.OBSERVATION_TIME_S: seen.time_s,
        names.PROPRIOCEPTION_REF: recorder.arrays(**_arrays(seen.proprioception)),
    }
    images = {camera: seen.images[camera] for camera in cameras}
    for camera, image in images.items():
        facts[names.camera_ref(camera)] = recorder.image(image.rgb, camera)
    if images:
        calibration = {f"{camera}.intrinsics": image.intrinsics for camera, image in images.items()}
        calibration |= {f"{camera}.pose": image.pose for camera, image in images.items()}
        facts[names.CALIBRATION_REF] = recorder.arrays(**calibration)
    if depth:
        facts[names.DEPTH_REF] = recorder.packed(**{name: image.depth_m for name, image in images.items()})
    return facts


def read_observation(blobs: BlobStore, facts: Mapping[str, Any]) -> Observation:
    """The observation that `observation_facts` stored; depth that was not stored is NaN.

    Raises:
        TandemError: `BLOB_MISSING` or `BLOB_CORRUPT`.
        KeyError, ValueError: The record is not of an observation.
    """
    calibration = blobs.get_arrays(facts[names.CALIBRATION_REF]) if names.CALIBRATION_REF in facts else {}
    depth = blobs.get_arrays(facts[names.DEPTH_REF]) if names.DEPTH_REF in facts else {}
    images = {}
    for camera in sorted({key.split(".")[0] for key in calibration}):
        rgb = blobs.get_image(facts[names.camera_ref(camera)])
        none = np.full(rgb.shape[:2], np.nan, np.float32)
        images[camera] = CameraImage(
            rgb, depth.get(camera, none), calibration[f"{camera}.intrinsics"], calibration[f"{camera}.pose"]
        )
    body = blobs.get_arrays(facts[names.PROPRIOCEPTION_REF])
    felt: dict[str, Any] = {name: value if value.ndim else float(value) for name, value in body.items()}
    return Observation(
        images,
        Proprioception(**felt),
        float(facts[names.OBSERVATION_TIME_S]),
        int(facts[names.OBSERVATION_SEQUENCE]),
    )


def _arrays(body: Proprioception) -> dict[str, NDArray[Any]]:
    return {item.name: np.asarray(getattr(body, item.name), np.float64) for item in fields(body)}


def instruction_ref(recorder: Recorder, instruction: Instruction) -> str:
    """Store what a policy is told. Raises as `observation_facts`."""
    target = instruction.target
    told: dict[str, object] = {"text": instruction.text, "target": None}
    if target is not None:
        told["target"] = {"kind": type(target).__name__, **_plain(target)}
    if instruction.about is not None:
        told["about"] = _plain(instruction.about)
    return recorder.json(told)


def _plain(told: Target | Whereabouts) -> dict[str, object]:
    """The fields as JSON has them."""
    return {item.name: np.asarray(getattr(told, item.name)).tolist() for item in fields(told)}


def read_instruction(told: Mapping[str, Any]) -> Instruction:
    """The instruction that `instruction_ref` stored. Raises KeyError, TypeError, ValueError."""
    target = about = None
    if told["target"] is not None:
        target = _TARGETS[told["target"]["kind"]](**_typed(told["target"]))
    if told.get("about"):
        about = Whereabouts(**_typed(told["about"]))
    return Instruction(str(told["text"]), target, about)


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """What `_plain` made plain."""
    return {
        name: np.array(value, np.float64) if isinstance(value, list) else value
        for name, value in values.items()
        if name != "kind"
    }


def marks_ref(recorder: Recorder, report: ExecutionReport) -> str | None:
    """Store the marks of a chunk's steps; None where the body made none. Raises as `observation_facts`."""
    return recorder.arrays(marks=read_marks(report)) if report.marks else None


def read_marks(report: ExecutionReport) -> NDArray[np.uint16]:
    """The marks of a report, uint16 [steps, bodies]."""
    return np.frombuffer(b64decode(report.marks), "<u2").reshape(report.steps_executed, -1)


def monitor_scores(findings: Iterable[Finding]) -> str:
    """Every score with the bound it is held against, as JSON: {name: [score, bound or null]}."""
    scores = {
        f.name: [f.score, f.threshold if np.isfinite(f.threshold) else None]
        for f in findings
        if np.isfinite(f.score)
    }
    return json.dumps(scores)
