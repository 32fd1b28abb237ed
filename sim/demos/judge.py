"""The truth about a task: how things are, and whether the simulator agrees that it was done."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pybullet as p

from sim.demos.tasks import Kind, Task
from sim.truth import SceneTruth, TrueObject, read_truth
from sim.world import World
from vla_low_level.geometry import (
    DRAWER_CLOSED_M,
    DRAWER_OPEN_M,
    OBJECTS,
    PLATE_TOP_M,
    SIDE_Y_M,
)
from vla_low_level.nouns import Category, Side, Switch

LIFTED_M = 0.05
CLEAR_M = 0.13
# A teacher goes on so much further, m: who stops about where they were shown to has done it.
BEYOND_M = 0.03
ON_M = 0.012
# What a thing is let down on, and where its top is above its base, m.
SUPPORTS = {Category.CUBE: OBJECTS[Category.CUBE].height_m, Category.PLATE: PLATE_TOP_M}


@dataclass(frozen=True, slots=True)
class Situation:
    """The truth at one instant, as the teacher and the judge need it.

    Attributes:
        scene: Every object.
        held: Id of the object between the fingers, both of which touch it.
        opening_m: How far the drawer is out; None without one.
        lit: Whether the lamp is lit; None without one.
    """

    scene: SceneTruth
    held: str | None
    opening_m: float | None
    lit: bool | None

    @property
    def furnished(self) -> bool:
        """A cabinet and a lamp stand at the far corners."""
        return self.opening_m is not None or self.lit is not None

    def get(self, object_id: str | None) -> TrueObject:
        """The object with this id. Raises LookupError."""
        for item in self.scene.objects:
            if item.id == object_id:
                return item
        raise LookupError(f"no object {object_id!r}")


def look(world: World) -> Situation:
    """Ask the simulator."""
    return Situation(
        scene=read_truth(world),
        held=_held(world),
        opening_m=world.drawer.state[0] if world.drawer else None,
        lit=world.lamp.lit if world.lamp else None,
    )


def _held(world: World) -> str | None:
    for item_id, body in world.objects.items():
        contacts = p.getContactPoints(bodyA=world.arm.body, bodyB=body, physicsClientId=world.client)
        touching = {contact[3] for contact in contacts if contact[9] > 0.5}
        if touching.issuperset(world.arm.fingers):
            return item_id
    return None


def succeeded(
    task: Task,
    now: Situation,
    start: Situation,
    tool_m: tuple[float, float, float],
    *,
    beyond_m: float = 0.0,
) -> bool:
    """Whether it is done: the effect holds and, but for a pick, the hand has let go and left.

    Args:
        task: What was to be done.
        now: The truth now.
        start: The truth before the first motion.
        tool_m: Where the tool centre point is.
        beyond_m: How much higher than it must be the object or the hand shall be.
    """
    away = now.held is None and tool_m[2] > CLEAR_M + beyond_m
    match task.kind:
        case Kind.PICK:
            item, before = now.get(task.object), start.get(task.object)
            lifted_m = item.centre_m[2] - before.centre_m[2]
            return now.held == task.object and lifted_m > LIFTED_M + beyond_m
        case Kind.PLACE_IN:
            return away and now.get(task.object).place is task.place
        case Kind.PLACE_ON:
            return away and is_on(now.get(task.object), now.get(task.base))
        case Kind.PUSH:
            item = now.get(task.object)
            side = task.side or Side.LEFT
            return away and not item.fallen and item.position_m[1] * side.sign > SIDE_Y_M
        case Kind.OPEN_DRAWER:
            return away and (now.opening_m or 0.0) > DRAWER_OPEN_M
        case Kind.CLOSE_DRAWER:
            return away and now.opening_m is not None and now.opening_m < DRAWER_CLOSED_M
        case Kind.PRESS:
            return away and now.lit is (task.switch is Switch.ON)


def is_on(item: TrueObject, base: TrueObject) -> bool:
    """The object stands on the other, its centre within the other's top."""
    top = base.position_m[2] + SUPPORTS.get(base.category, math.inf)
    near = (
        math.dist(item.position_m[:2], base.position_m[:2]) < OBJECTS[base.category].footprint_radius_m * 0.75
    )
    return near and not item.fallen and abs(item.position_m[2] - top) < ON_M


def hopeless(task: Task, now: Situation) -> bool:
    """Whether something is so wrong that going on teaches nothing: an object fell over or off."""
    for name in (task.object, task.base):
        if name is not None:
            item = now.get(name)
            # A spoon that leans on a wall of what it was put into lies there all the same, and a cube that
            # tips comes to stand on another face.
            leans = task.kind is Kind.PLACE_IN and item.category is Category.SPOON
            stays = leans or item.category is Category.CUBE
            if item.on_floor or (item.fallen and now.held != name and not stays):
                return True
    return False
