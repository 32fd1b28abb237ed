"""A fault as it is asked for: kind, magnitude, onset, duration, aim. `camera_shift:0.05@3s+2s`."""

from __future__ import annotations

import difflib
import re
import zlib
from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.faults.catalogue import CATALOGUE
from sim.faults.kinds import FailureClass, Kind, Targets
from traces.errors import TandemError

GRAMMAR = "NAME[/AIM][:MAGNITUDE][@ONSETs][+DURATIONs]"
CAMERAS = ("overhead", "wrist")
MAX_FAULTS = 16
STREAM = 0xFA017
Seconds = Annotated[float, Field(ge=0.0, le=3600.0, allow_inf_nan=False)]

_NUMBER = r"-?\d*\.?\d+(?:e-?\d+)?"
_WRITTEN = re.compile(
    rf"(?P<name>[a-z_]+)(?:/(?P<aim>[a-z0-9_]+))?(?::(?P<magnitude>{_NUMBER}))?"
    rf"(?:@(?P<onset>{_NUMBER})s?)?(?:\+(?P<duration>{_NUMBER})s?)?"
)


class Fault(BaseModel):
    """One injection.

    Attributes:
        name: A kind of the catalogue.
        magnitude: How much, in the kind's unit.
        onset_s: From when on it may act, since the command began, s. What needs a circumstance, such as an
            object in the hand, waits for it.
        duration_s: How long it acts; None until the end of the run.
        aim: A camera or an object's id; empty for the kind's own choice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    magnitude: Annotated[float, Field(allow_inf_nan=False)]
    onset_s: Seconds = 0.0
    duration_s: Seconds | None = None
    aim: str = Field(default="", pattern=r"^[a-z0-9_]{0,48}$")

    @model_validator(mode="after")
    def _check(self) -> Fault:
        kind = CATALOGUE.get(self.name)
        if kind is None:
            raise ValueError(f"there is no fault {self.name!r}")
        if not kind.size.low <= self.magnitude <= kind.size.high:
            raise ValueError(f"its magnitude is {_range(kind)}, not {_plain(self.magnitude)}")
        if self.duration_s is not None and kind.lasts_s == 0.0:
            raise ValueError("it happens at once and has no duration")
        if self.aim and kind.targets is Targets.NONE:
            raise ValueError("it cannot be aimed at anything")
        if self.aim and kind.targets is Targets.CAMERA and self.aim not in CAMERAS:
            raise ValueError(f"there is no camera {self.aim!r}, only {' and '.join(CAMERAS)}")
        return self

    @property
    def kind(self) -> Kind:
        """What the catalogue says of it."""
        return CATALOGUE[self.name]

    @property
    def failure(self) -> FailureClass:
        """Who is to blame when the run fails of it."""
        return self.kind.failure

    @property
    def lasts_s(self) -> float | None:
        """How long it acts once it has begun, s; None until the end."""
        return self.kind.lasts_s if self.duration_s is None else self.duration_s

    def stream(self, seed: int, *more: int) -> np.random.Generator:
        """Its own random numbers; neither its magnitude nor its duration nor other faults change them."""
        key = zlib.crc32(f"{self.name}/{self.aim}@{self.onset_s}".encode())
        return np.random.default_rng([seed, STREAM, key, *more])

    def until(self, time_s: float) -> Fault:
        """The same fault, over at `time_s`: what a repair at that instant leaves of it."""
        if self.kind.lasts_s == 0.0:
            return self
        return self.model_copy(update={"duration_s": max(0.0, time_s - self.onset_s)})

    def __str__(self) -> str:
        aim = f"/{self.aim}" if self.aim else ""
        much = f":{_plain(self.magnitude)}" if self.kind.size.unit else ""
        lasts = "" if self.duration_s is None else f"+{_plain(self.duration_s)}s"
        return f"{self.name}{aim}{much}@{_plain(self.onset_s)}s{lasts}"


class Injection(BaseModel):
    """Everything that is to go wrong in one run, and the seed of all that is drawn for it.

    Attributes:
        seed: Of the run. Every fault draws from a stream of its own.
        faults: In the order in which they were asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=0, ge=0)
    faults: tuple[Fault, ...] = Field(default=(), max_length=MAX_FAULTS)

    @staticmethod
    def parse(texts: Iterable[str], seed: int = 0) -> Injection:
        """Read faults as they are written on the command line. Raises as `parse_fault`."""
        faults = tuple(parse_fault(text) for text in texts)
        if len(faults) > MAX_FAULTS:
            raise TandemError(
                "FAULT_INVALID", f"{len(faults)} faults at once", fix=f"give {MAX_FAULTS} at most"
            )
        return Injection(seed=seed, faults=faults)

    def without(self, index: int) -> Injection:
        """The same without one of them; the others draw what they drew."""
        return self.model_copy(update={"faults": tuple(f for k, f in enumerate(self.faults) if k != index)})


def parse_fault(text: str) -> Fault:
    """Read one fault, as `GRAMMAR` says.

    Raises:
        TandemError: `FAULT_UNKNOWN` for a name that is not in the catalogue, `FAULT_INVALID` for what cannot
            be read or is out of range.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise TandemError(
            "FAULT_INVALID", f"{text[:60]!r} is no fault", fix=f"write {GRAMMAR}, as in camera_shift:0.05@3s"
        )
    kind = CATALOGUE.get(found["name"])
    if kind is None:
        near = difflib.get_close_matches(found["name"], CATALOGUE, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise TandemError(
            "FAULT_UNKNOWN",
            f"there is no fault {found['name'][:40]!r}",
            fix=f"{hint}`tandem faults` lists all",
        )
    if found["magnitude"] and not kind.size.unit:
        raise TandemError("FAULT_INVALID", f"{kind.name} has no magnitude", fix=f"write {kind.name}@3s")
    try:
        return Fault(
            name=kind.name,
            magnitude=float(found["magnitude"] or kind.size.default),
            onset_s=float(found["onset"] or 0.0),
            duration_s=float(found["duration"]) if found["duration"] else None,
            aim=found["aim"] or "",
        )
    except ValueError as error:
        raise _invalid(text, kind, error) from error


def _invalid(text: str, kind: Kind, error: ValueError) -> TandemError:
    """A person's version of what pydantic found."""
    from pydantic import ValidationError

    why = str(error)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = f"{first['loc'][0]}: " if first["loc"] else ""
        why = where + first["msg"].removeprefix("Value error, ")
    much = f":{_plain(kind.size.default)}" if kind.size.unit else ""
    return TandemError("FAULT_INVALID", f"{text[:60]!r}: {why}", fix=f"write it like {kind.name}{much}@3s")


def _range(kind: Kind) -> str:
    unit = f" {kind.size.unit}" if kind.size.unit else ""
    return f"{_plain(kind.size.low)} to {_plain(kind.size.high)}{unit}"


def _plain(value: float) -> str:
    """A number as short as it can be read back."""
    return repr(float(value)).removesuffix(".0")
