"""The catalogue: every fault that can be injected, as data. Numbers F1 to F24 are those of docs/faults.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureClass(StrEnum):
    """Which module is to blame. BENIGN: nobody; the robot should cope and not alarm much."""

    PERCEPTION = "perception"
    STALE_CALIBRATION = "stale_calibration"
    STATE = "state"
    PLANNING = "planning"
    ASK = "ask"
    ROUTER = "router"
    MODEL = "model"
    CONTROL = "control"
    CONTROLLER_MISMATCH = "controller_mismatch"
    ENVIRONMENT = "environment"
    EVALUATION = "evaluation"
    BENIGN = "benign"


class Site(StrEnum):
    """Where a fault acts. Everything but the body is in the mind's process."""

    BODY = "body"
    PERCEIVER = "perceiver"
    PLANNER = "planner"
    ROUTER = "router"
    POLICY = "policy"
    MONITOR = "monitor"


class Targets(StrEnum):
    """What the part behind the slash may name."""

    NONE = ""
    CAMERA = "camera"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Size:
    """How much a fault can be.

    Attributes:
        unit: Of the magnitude; empty where there is none, `x` for a factor.
        default: Magnitude when none is given.
        low: Least magnitude.
        high: Greatest magnitude.
    """

    unit: str = ""
    default: float = 1.0
    low: float = 1.0
    high: float = 1.0

    @property
    def text(self) -> str:
        """The default with its unit; empty where there is no magnitude."""
        return f"{self.default:.3g} {self.unit}" if self.unit else ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    Attributes:
        name: As it is written.
        number: Row of the catalogue, 1 to 24.
        failure: Who is to blame.
        site: Where it acts.
        size: How much it can be.
        meaning: What it does, one sentence.
        revert: What is so again when it ends.
        lasts_s: How long it lasts by itself, s: None until the end, 0 for what happens at once.
        targets: What it can be aimed at.
    """

    name: str
    number: int
    failure: FailureClass
    site: Site
    size: Size
    meaning: str
    revert: str
    lasts_s: float | None = None
    targets: Targets = Targets.NONE
