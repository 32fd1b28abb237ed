"""The scene as the agent believes it: what perception saw, as data. World frame, m, rad."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vla_low_level.geometry import DRAWER_CLOSED_M, DRAWER_OPEN_M
from vla_low_level.nouns import Category, Colour, Opening, Place

Metre = Annotated[float, Field(ge=-5.0, le=5.0, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SceneObject(_Frozen):
    """One thing that can be grasped.

    Attributes:
        id: Unique in its scene and stable across perceptions of one command, e.g. `red_cup_1`.
        category: What it is.
        colour: Its colour.
        position_m: Centre of its base on whatever it stands on.
        yaw_rad: Direction of its long axis (spoon) or of a side (cube) about z; None where round.
        place: The fixture it lies in; None on the bare table.
        on: Id of the object it stands on; None when it stands on the table or in a fixture.
        confidence: 0..1, of the detection.
    """

    id: str = Field(pattern=r"^[a-z0-9_]{1,48}$")
    category: Category
    colour: Colour
    position_m: tuple[Metre, Metre, Metre]
    yaw_rad: float | None = None
    place: Place | None = None
    on: str | None = Field(default=None, pattern=r"^[a-z0-9_]{1,48}$")
    confidence: float = Field(default=1.0, ge=0.0, le=1.0)

    @property
    def phrase(self) -> str:
        """The object as it is said: `red cup`."""
        return f"{self.colour.value} {self.category.value}"


class PlaceRegion(_Frozen):
    """A fixture and the rectangle inside its walls.

    Attributes:
        place: Which fixture.
        centre_m: Centre of its floor.
        half_extent_m: Half of the free inner size along its own x and y.
        yaw_rad: Rotation of its x axis about world z.
    """

    place: Place
    centre_m: tuple[Metre, Metre, Metre]
    half_extent_m: tuple[Metre, Metre]
    yaw_rad: float = 0.0

    @property
    def long_axis_rad(self) -> float:
        """Direction of its longer side about world z."""
        return self.yaw_rad + (0.0 if self.half_extent_m[0] >= self.half_extent_m[1] else math.pi / 2)


class SeenDrawer(_Frozen):
    """The cabinet's drawer.

    Attributes:
        handle_m: Middle of its handle, as it is now.
        opening_m: How far it is out.
    """

    handle_m: tuple[Metre, Metre, Metre]
    opening_m: float = Field(ge=-0.05, le=0.5, allow_inf_nan=False)

    @property
    def stands(self) -> Opening:
        """Open, closed, or ajar where it is neither."""
        if self.opening_m > DRAWER_OPEN_M:
            return Opening.OPEN
        return Opening.CLOSED if self.opening_m < DRAWER_CLOSED_M else Opening.AJAR


class SeenLamp(_Frozen):
    """The lamp and its button.

    Attributes:
        button_m: Top of the button.
        lit: Whether the lamp shines.
    """

    button_m: tuple[Metre, Metre, Metre]
    lit: bool


class Scene(_Frozen):
    """Everything perceived at one instant.

    Attributes:
        objects: What is there, in a stable order.
        places: Fixtures that were seen.
        drawer: The drawer; None when none is seen.
        lamp: The lamp; None when none is seen.
        held: Id of the object in the hand, as far as the agent knows.
        observation_sequence: The observation it was perceived from.
    """

    objects: tuple[SceneObject, ...] = Field(max_length=64)
    places: tuple[PlaceRegion, ...] = Field(max_length=16)
    drawer: SeenDrawer | None = None
    lamp: SeenLamp | None = None
    held: str | None = None
    observation_sequence: int = 0

    def get(self, object_id: str) -> SceneObject | None:
        """The object with this id, or None."""
        return next((o for o in self.objects if o.id == object_id), None)

    def region(self, place: Place) -> PlaceRegion | None:
        """The fixture of this name, or None when it was not seen."""
        return next((p for p in self.places if p.place is place), None)
