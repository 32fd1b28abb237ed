"""The skills of this robot. A node of a plan holds one of these: the skill and its typed arguments in one."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from skills.predicates import (
    AtSide,
    Clear,
    DrawerIs,
    DrawerSeen,
    HandEmpty,
    Held,
    In,
    LampIs,
    On,
    OnTable,
    Predicate,
    Visible,
)
from skills.scene import Scene
from vla_low_level.nouns import Category, Opening, Place, Side, Switch
from vla_low_level.telling_apart import qualifier

ObjectId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,48}$")]


def _phrase(object_id: str, scene: Scene) -> str:
    """Colour, category, and which of several alike; its id when the scene lacks it."""
    found = scene.get(object_id)
    if found is None:
        return object_id.replace("_", " ")
    if object_id == scene.held:
        # What is in the hand needs no telling apart, and is no twin of what lies on the table.
        return found.phrase
    return found.phrase + qualifier(found, [o for o in scene.objects if o.id != scene.held])


class _Skill(BaseModel):
    """What all skills share: frozen arguments, and a limit on the time they may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    time_budget_s: ClassVar[float] = 20.0

    @property
    def subject(self) -> str:
        """Id of the object that it is about; empty when it is about none."""
        return ""


class _OfObject(_Skill):
    """A skill that is done to an object.

    Attributes:
        object: Its id in the scene.
    """

    object: ObjectId

    @property
    def subject(self) -> str:
        """Id of the object that it is about."""
        return self.object


class Pick(_OfObject):
    """Grasp an object and lift it clear."""

    name: Literal["pick"] = "pick"

    def preconditions(self) -> tuple[Predicate, ...]:
        """What must hold before the arm moves."""
        return (HandEmpty(), Visible(self.object))

    def effects(self) -> tuple[Predicate, ...]:
        """What holds afterwards; also the success test."""
        return (Held(self.object),)

    def subgoal(self, scene: Scene) -> str:
        """The subgoal in plain words, for System 1. Raises LookupError when words cannot tell it apart."""
        return f"pick up the {_phrase(self.object, scene)}"


class Put(_OfObject):
    """Put the held object into a fixture and let go.

    Attributes:
        place: The fixture.
    """

    name: Literal["place"] = "place"
    place: Place

    def preconditions(self) -> tuple[Predicate, ...]:
        """What must hold before the arm moves."""
        return (Held(self.object),)

    def effects(self) -> tuple[Predicate, ...]:
        """What holds afterwards; also the success test."""
        return (In(self.object, self.place), HandEmpty())

    def subgoal(self, scene: Scene) -> str:
        """The subgoal in plain words, for System 1."""
        return f"place the {_phrase(self.object, scene)} in the {self.place.phrase}"


class Stack(_OfObject):
    """Put the held object on another one and let go.

    Attributes:
        base: Id of the one below: a cube or a plate.
    """

    name: Literal["stack"] = "stack"
    base: ObjectId

    def preconditions(self) -> tuple[Predicate, ...]:
        """What must hold before the arm moves."""
        return (Held(self.object), Visible(self.base), Clear(self.base))

    def effects(self) -> tuple[Predicate, ...]:
        """What holds afterwards; also the success test."""
        return (On(self.object, self.base), HandEmpty())

    def subgoal(self, scene: Scene) -> str:
        """The subgoal in plain words, for System 1. Raises LookupError as above."""
        return f"stack the {_phrase(self.object, scene)} on the {_phrase(self.base, scene)}"


class Push(_OfObject):
    """Push an object over the table to one side.

    Attributes:
        side: Which.
    """

    name: Literal["push"] = "push"
    side: Side

    def preconditions(self) -> tuple[Predicate, ...]:
        """What must hold before the arm moves."""
        return (HandEmpty(), OnTable(self.object))

    def effects(self) -> tuple[Predicate, ...]:
        """What holds afterwards; also the success test."""
        return (AtSide(self.object, self.side),)

    def subgoal(self, scene: Scene) -> str:
        """The subgoal in plain words, for System 1. Raises LookupError when words cannot tell it apart."""
        return f"push the {_phrase(self.object, scene)} to the {self.side.value}"


class OpenDrawer(_Skill):
    """Pull the drawer out by its handle."""

    name: Literal["open_drawer"] = "open_drawer"

    def preconditions(self) -> tuple[Predicate, ...]:
        """What must hold before the arm moves."""
        return (HandEmpty(), DrawerSeen())

    def effects(self) -> tuple[Predicate, ...]:
        """What holds afterwards; also the success test."""
        return (DrawerIs(Opening.OPEN),)

    def subgoal(self, _scene: Scene) -> str:
        """The subgoal in plain words, for System 1."""
        return "open the drawer"


class CloseDrawer(_Skill):
    """Push the drawer in."""

    name: Literal["close_drawer"] = "close_drawer"

    def preconditions(self) -> tuple[Predicate, ...]:
        """What must hold before the arm moves."""
        return (HandEmpty(), DrawerSeen())

    def effects(self) -> tuple[Predicate, ...]:
        """What holds afterwards; also the success test."""
        return (DrawerIs(Opening.CLOSED),)

    def subgoal(self, _scene: Scene) -> str:
        """The subgoal in plain words, for System 1."""
        return "close the drawer"


class Press(_Skill):
    """Press the lamp's button, which changes what the lamp is.

    Attributes:
        switch: What the lamp shall be.
    """

    name: Literal["press"] = "press"
    switch: Switch

    def preconditions(self) -> tuple[Predicate, ...]:
        """What must hold before the arm moves."""
        return (HandEmpty(), LampIs(Switch.OFF if self.switch is Switch.ON else Switch.ON))

    def effects(self) -> tuple[Predicate, ...]:
        """What holds afterwards; also the success test."""
        return (LampIs(self.switch),)

    def subgoal(self, _scene: Scene) -> str:
        """The subgoal in plain words, for System 1."""
        return f"press the button to turn the lamp {self.switch.value}"


Skill = Annotated[Pick | Put | Stack | Push | OpenDrawer | CloseDrawer | Press, Field(discriminator="name")]
STACKABLE = frozenset(
    {(Category.CUBE, Category.CUBE), (Category.CUBE, Category.PLATE), (Category.CUP, Category.PLATE)}
)
"""What stands safely on what, the upper one first."""
PUSHABLE = frozenset({Category.CUBE, Category.PLATE})
"""What slides when it is pushed and does not fall over."""
CARRYING = (Put, Stack)
"""Skills that begin with something in the hand and end with it let go."""
