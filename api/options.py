"""What a person chose on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vla_low_level.robot import Clock

RUNS = Path("runs")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """One command, and how it is to be carried out.

    Attributes:
        instruction: The command in plain words.
        scene: Name of a built-in scene, or a YAML file.
        seed: Of everything random.
        planner: `embedded`, `subgoal` or `openai:URL#MODEL`.
        policy: `auto`, `specialist` or `generalist`.
        weights: The generalist's folder; the shipped one when None.
        arm: `panda`, `kuka_iiwa` or `xarm6`.
        record: The run's folder; one under `runs/` when None.
        film: Whether a video and a contact sheet are made.
        jpeg: Cameras that are recorded as JPEG, each as `NAME` or `NAME=QUALITY`; PNG for the others.
        clock: `lockstep`, in which the body waits for the mind, or `realtime`, in which it does not.
        faults: What is to go wrong, each as in `sim.faults.spec.GRAMMAR`.
        monitor: `act`, `watch`, `plain`, `off` or `strict`; see `api.monitoring.MODES`.
        calibration: Folder with a calibration for each kind of policy; the shipped one when None.
        on_alarm: Rungs of the response ladder; the default ones when empty.
    """

    instruction: str
    scene: str = "table"
    seed: int = 0
    planner: str = "embedded"
    policy: str = "auto"
    weights: Path | None = None
    arm: str = "panda"
    record: Path | None = None
    film: bool = True
    jpeg: tuple[str, ...] = ()
    clock: Clock = "lockstep"
    faults: tuple[str, ...] = ()
    monitor: str = "act"
    calibration: Path | None = None
    on_alarm: tuple[str, ...] = ()

    def settled(self) -> RunOptions:
        """The same with a folder: one is named after time and instruction where none was given."""
        return self if self.record is not None else replace(self, record=self._new_folder())

    @property
    def folder(self) -> Path:
        """The run's folder. Raises ValueError before it is `settled`."""
        if self.record is None:
            raise ValueError("options are not settled yet")
        return self.record

    def _new_folder(self) -> Path:
        slug = re.sub(r"[^a-z0-9]+", "-", self.instruction[:60].lower()).strip("-")[:32] or "run"
        return RUNS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{slug}"
