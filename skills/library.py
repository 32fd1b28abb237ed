"""The skills of this robot. A node of a plan holds one of these: the skill and its typed arguments in one."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from skills.predicates import HandEmpty, Held, In, Predicate, Visible
from skills.scene import Scene
from vla_low_level.nouns import Place

ObjectId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,48}$")]


def _phrase(object_id: str, scene: Scene) -> str:
    """How the object is said: its colour and category, or its id when the scene lacks it."""
    found = scene.get(object_id)
    return found.phrase if found else object_id.replace("_", " ")


class Pick(BaseModel):
    """Grasp an object and lift it clear.

    Attributes:
        object: Id of the object in the scene.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    time_budget_s: ClassVar[float] = 20.0

    name: Literal["pick"] = "pick"
    object: ObjectId

    def preconditions(self) -> tuple[Predicate, ...]:
        """What must hold before the arm moves."""
        return (HandEmpty(), Visible(self.object))

    def effects(self) -> tuple[Predicate, ...]:
        """What holds afterwards; also the success test."""
        return (Held(self.object),)

    def subgoal(self, scene: Scene) -> str:
        """The subgoal in plain words, for System 1."""
        return f"pick up the {_phrase(self.object, scene)}"


class Put(BaseModel):
    """Put the held object into a fixture and let go.

    Attributes:
        object: Id of the held object.
        place: The fixture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    time_budget_s: ClassVar[float] = 20.0

    name: Literal["place"] = "place"
    object: ObjectId
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


Skill = Annotated[Pick | Put, Field(discriminator="name")]
