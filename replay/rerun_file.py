"""A run as a Rerun recording (`.rrd`); needs `pip install tandem-robot[rerun]`.

One timeline holds cameras, arm, path of the tool, objects as perceived and as they really were, scores with
their bounds, and the node of the skill graph at work. The truth comes from re-simulating the run.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from replay.truth import Progress, true_moments
from sim.arms import embodiment
from skills.scene import Scene
from traces import names
from traces.blobs import media_type
from traces.errors import TandemError
from traces.run import Run
from traces.storage import storage_error
from traces.timeline import frames_of, samples_of

WALL, BODY, CHUNK = "wall", "body", "chunk"
_PERCEIVED: Final = (28, 111, 184)
_TRUE: Final = (43, 138, 62)
_ARM: Final = (120, 120, 120)


def write_rerun(run: Run, target: Path, progress: Progress = lambda _done, _of: None) -> int:
    """Write the file; returns how many chunks it shows.

    Raises:
        TandemError: `EXTRA_MISSING` without the package, what re-simulation raises, `STORE_FULL`,
            `STORE_READ_ONLY` or `STORE_IO`.
    """
    try:
        import rerun
    except ImportError as cause:
        raise TandemError(
            "EXTRA_MISSING", "Rerun needs the rerun-sdk package", fix="pip install 'tandem-robot[rerun]'"
        ) from cause
    stream = rerun.RecordingStream("tandem", recording_id=run.trace_id)
    partial = target.with_name(f".{target.name}.part")
    try:
        stream.save(partial)
        with stream:
            chunks = _Writer(rerun, run).write(progress)
        stream.flush()
        del stream
        partial.replace(target)
    except OSError as cause:
        partial.unlink(missing_ok=True)
        raise storage_error(cause, target) from cause
    return chunks


class _Writer:
    """Logs a run into the current recording."""

    def __init__(self, rerun: Any, run: Run) -> None:
        self._rr, self._run = rerun, run
        self._kinematics = embodiment(str(run.attributes.get(names.EMBODIMENT, "panda"))).kinematics()

    def write(self, progress: Progress) -> int:
        self._rr.log("world", self._rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        self._frames()
        self._perceived()
        self._true(progress)
        return self._samples()

    def _at(self, time_ns: int, body_s: float | None, chunk: int | None = None) -> None:
        self._rr.set_time(WALL, duration=(time_ns - self._run.started_ns) / 1e9)
        if body_s is not None:
            self._rr.set_time(BODY, duration=body_s)
        if chunk is not None:
            self._rr.set_time(CHUNK, sequence=chunk)

    def _frames(self) -> None:
        for frame in frames_of(self._run):
            with contextlib.suppress(TandemError):
                data = self._run.blobs.get(frame.ref)
                self._at(frame.time_ns, frame.body_s)
                image = self._rr.EncodedImage(contents=data, media_type=media_type(data))
                self._rr.log(f"cameras/{frame.camera}", image)

    def _perceived(self) -> None:
        for span in self._run.named(names.PERCEIVE):
            ref = span.attributes.get(names.BELIEVED_REF) or span.attributes.get(names.PERCEIVED_REF)
            if not isinstance(ref, str):
                continue
            scene = Scene.model_validate(self._run.blobs.get_json(ref))
            body_s = span.attributes.get(names.OBSERVATION_TIME_S)
            self._at(span.start_ns, None if body_s is None else float(body_s))
            self._points(
                "world/perceived", [(item.id, item.position_m) for item in scene.objects], _PERCEIVED
            )

    def _true(self, progress: Progress) -> None:
        for moment in true_moments(self._run, progress):
            self._at(moment.start_ns, moment.body_s)
            self._points("world/true", [(item.id, item.position_m) for item in moment.truth.objects], _TRUE)

    def _points(self, path: str, items: list[tuple[str, tuple[float, ...]]], colour: tuple[int, ...]) -> None:
        positions, labels = [position for _, position in items], [name for name, _ in items]
        self._rr.log(path, self._rr.Points3D(positions, labels=labels, colors=[colour], radii=[0.012]))

    def _samples(self) -> int:
        count, path, node = 0, [], ""
        for sample in samples_of(self._run):
            count += 1
            self._at(sample.time_ns, sample.body_s, sample.number)
            if sample.joint_rad is not None:
                arm = self._kinematics.origins(np.asarray(sample.joint_rad))
                self._rr.log("world/arm", self._rr.LineStrips3D([arm], colors=[_ARM], radii=[0.02]))
            if sample.ee_m is not None:
                path.append(sample.ee_m)
                self._rr.log("world/ee_path", self._rr.LineStrips3D([path], colors=[_PERCEIVED]))
            for name, (score, bound) in sample.scores.items():
                self._rr.log(f"scores/{name}/score", self._rr.Scalars(score))
                if bound is not None:
                    self._rr.log(f"scores/{name}/bound", self._rr.Scalars(bound))
            if sample.node != node:
                node = sample.node
                self._rr.log("skill_graph/node", self._rr.TextLog(node))
            self._log(sample.span)
        return count

    def _log(self, span: Any) -> None:
        for log in span.logs:
            if log.name != names.STEP:
                self._at(log.time_ns, None)
                told = json.dumps(dict(log.attributes), default=str)
                self._rr.log("events", self._rr.TextLog(f"{log.name} {told}", level="WARN"))
