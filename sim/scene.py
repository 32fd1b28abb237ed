"""Scenes: what a person writes down, and the exact placement that `sim.layout` makes of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from traces.errors import TandemError
from vla_low_level.geometry import (
    CABINET_SIZE_M,
    DRAWER_TRAVEL_M,
    HANDLE_HEIGHT_M,
    HANDLE_STANDOFF_M,
)
from vla_low_level.nouns import Category, Colour, Place

MAX_FILE_BYTES = 64 * 1024
WALL_M = 0.006
SCENES = Path(__file__).parent / "scenes"

# Where objects start. Every point of it, and of every place, is within reach of a hand pointing down.
AREA_X_M = (0.36, 0.61)
AREA_Y_M = (-0.215, 0.215)
SLOTS: dict[Place, tuple[float, float]] = {
    Place.SINK: (0.445, -0.40),
    Place.TRAY: (0.205, -0.42),
    Place.DISH_RACK: (0.455, 0.385),
    Place.BIN: (0.180, 0.420),
    Place.UTENSIL_HOLDER: (0.712, 0.0),
}
# Where the cabinet's middle and the lamp's button stand, when a scene has them.
CABINET_M = (0.735, 0.195)
BUTTON_M = (0.655, -0.215)
JITTER_M = 0.012

Coordinate = Annotated[float, Field(ge=-1.0, le=1.0, allow_inf_nan=False)]
Yaw = Annotated[float, Field(ge=-7.0, le=7.0, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ObjectSpec(_Frozen):
    """An object as a person describes it; what is left out is drawn from the seed."""

    category: Category | None = None
    colour: Colour | None = None
    position: tuple[Coordinate, Coordinate] | None = None
    yaw: Yaw | None = None
    place: Place | None = None


class PlaceSpec(_Frozen):
    """A fixture; its slot with a little jitter unless a position is given."""

    place: Place
    position: tuple[Coordinate, Coordinate] | None = None


class DrawerSpec(_Frozen):
    """A cabinet with a drawer: closed, or open this far, m."""

    position: tuple[Coordinate, Coordinate] | None = None
    opening: Annotated[float, Field(ge=0.0, le=DRAWER_TRAVEL_M, allow_inf_nan=False)] = 0.0


class LampSpec(_Frozen):
    """A lamp with a button; `position` is the button's."""

    position: tuple[Coordinate, Coordinate] | None = None
    lit: bool = False


class SceneSpec(_Frozen):
    """A scene as a person writes it in YAML.

    Attributes:
        objects: What is on the table. Empty: `count` random ones.
        count: Least and most objects, when `objects` is empty.
        places: Fixtures; all five when empty.
        light: Direction that light comes from; drawn from the seed when left out.
        drawer: A cabinet, if there is one; `drawer: {}` is a closed one at its usual place.
        lamp: A lamp, if there is one.
    """

    objects: tuple[ObjectSpec, ...] = Field(default=(), max_length=12)
    count: tuple[Annotated[int, Field(ge=0, le=9)], Annotated[int, Field(ge=0, le=9)]] = (4, 8)
    places: tuple[PlaceSpec, ...] = Field(default=(), max_length=5)
    light: tuple[Coordinate, Coordinate, Coordinate] | None = None
    drawer: DrawerSpec | None = None
    lamp: LampSpec | None = None

    @staticmethod
    def load(name_or_path: str) -> SceneSpec:
        """Read a built-in scene by name, or a YAML file by path.

        Raises:
            TandemError: `SCENE_NOT_FOUND` or `SCENE_INVALID`, naming the field.
        """
        return _parse(_find(name_or_path))


class PlacedObject(_Frozen):
    """An object with its exact starting pose: centre of its base, m, and yaw, rad."""

    id: str
    category: Category
    colour: Colour
    position_m: tuple[float, float, float]
    yaw_rad: float


class PlacedPlace(_Frozen):
    """A fixture with its exact position: centre of its base, m."""

    place: Place
    position_m: tuple[float, float]


class PlacedDrawer(_Frozen):
    """A cabinet: the middle of its footprint, m, and how far its drawer is out, m."""

    position_m: tuple[float, float]
    opening_m: float = 0.0

    @property
    def handle_m(self) -> tuple[float, float, float]:
        """Middle of the handle's bar when the drawer is closed, world."""
        out = CABINET_SIZE_M[0] / 2 + WALL_M + HANDLE_STANDOFF_M
        return (self.position_m[0] - out, self.position_m[1], HANDLE_HEIGHT_M)


class PlacedLamp(_Frozen):
    """A lamp: where its button stands, m, and whether it is lit."""

    position_m: tuple[float, float]
    lit: bool = False


class Variation(_Frozen):
    """What differs from one real table to the next; the default is the nominal world.

    Attributes:
        friction: Of the objects.
        table: The table top's colour, 0..1.
        tint: Added to every object's colour, by channel.
        camera_turn_rad: Rotation vector by which the fixed cameras are off their pose, camera axes.
        camera_shift_m: By which they are off their place, world.
    """

    friction: float = 1.0
    table: tuple[float, float, float] = (0.83, 0.78, 0.70)
    tint: tuple[float, float, float] = (0.0, 0.0, 0.0)
    camera_turn_rad: tuple[float, float, float] = (0.0, 0.0, 0.0)
    camera_shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0)


class PlacedScene(_Frozen):
    """Everything that determines the world; it goes into the trace, and rebuilds the world from it."""

    seed: int
    objects: tuple[PlacedObject, ...]
    places: tuple[PlacedPlace, ...]
    light: tuple[float, float, float]
    drawer: PlacedDrawer | None = None
    lamp: PlacedLamp | None = None
    arm: str = "panda"
    variation: Variation = Variation()


def builtin_scenes() -> tuple[str, ...]:
    """Names that `--scene` knows."""
    return tuple(sorted(p.stem for p in SCENES.glob("*.yaml")))


def _find(name_or_path: str) -> Path:
    path = SCENES / f"{name_or_path}.yaml" if name_or_path in builtin_scenes() else Path(name_or_path)
    # `os.path.isfile` is False, where `Path.is_file` raises, for a name too long for the file system.
    if not os.path.isfile(path):
        raise TandemError(
            "SCENE_NOT_FOUND",
            f"no scene called {name_or_path[:80]!r}, and no such file",
            fix=f"use one of {', '.join(builtin_scenes())}, or the path of a YAML file",
        )
    return path


def _parse(path: Path) -> SceneSpec:
    data = _read(path)
    try:
        return SceneSpec.model_validate({} if data is None else data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise TandemError(
            "SCENE_INVALID", f"{path}: {where}: {first['msg']}", fix=f"correct {where}"
        ) from error


def _read(path: Path) -> object:
    """The file as plain data. A date that is none and brackets too deep are bad YAML as well."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise TandemError(
                "SCENE_INVALID", f"{path} is larger than {MAX_FILE_BYTES} bytes", fix="use a scene file"
            )
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TandemError(
            "SCENE_INVALID", f"{path} cannot be read: {error.strerror}", fix="check its permissions"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TandemError("SCENE_INVALID", f"{path} is not YAML: {error}", fix="correct the file") from error
