"""Faults of the table and of what is on it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pybullet as p

from sim.faults.effect import F64, Effect
from sim.faults.spec import Fault
from sim.scene import AREA_X_M, AREA_Y_M
from sim.world import World
from vla_low_level.geometry import HAND_HALF_LENGTH_M, OBJECTS
from vla_low_level.plant import CONTROL_HZ

# The hand is that near when an object is taken away, and no waiting is longer than this.
NEAR_M = 0.09
PATIENCE_S = 8.0
# What is held is further up than this.
LYING_M = 0.06
TRIES = 64
GREY = (0.45, 0.45, 0.47, 1.0)
# A post that no hand passes over, and a hand that travels.
POST_HALF_M = (0.015, 0.015, 0.35)
TRAVEL_M, TRAVEL_M_S = 0.10, 0.04


class OnTable(Effect):
    """What effects on things have in common: where everything is."""

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        super().__init__(fault, world, seed)
        self._kinematics = world.embodiment.kinematics()
        self._radius = {o.id: OBJECTS[o.category].footprint_radius_m for o in world.placed.objects}

    def positions(self) -> dict[str, F64]:
        """Centre of every object, m."""
        client = self.world.client
        return {
            name: np.array(p.getBasePositionAndOrientation(body, physicsClientId=client)[0])
            for name, body in self.world.objects.items()
        }

    def hand(self) -> tuple[F64, F64]:
        """Where the tool centre point is, m, and how fast, m/s."""
        state = self.world.read()
        at, _, jacobian = self._kinematics.forward(state.joint_position_rad)
        return at.copy(), jacobian[:3] @ state.joint_velocity_rad_s

    def free(self, at: F64, radius_m: float, but: str = "") -> bool:
        """Whether a disc there touches no object and lies on the part of the table where objects start."""
        inside = AREA_X_M[0] < at[0] < AREA_X_M[1] and AREA_Y_M[0] < at[1] < AREA_Y_M[1]
        apart = all(
            math.dist(at[:2], there[:2]) > radius_m + self._radius[name]
            for name, there in self.positions().items()
            if name != but
        )
        return inside and apart

    def aim(self) -> tuple[str, float]:
        """The lying object nearest to the hand, or the one that is named; and how far it is, m."""
        hand = self.hand()[0]
        named = self.fault.aim
        far = {
            name: math.dist(hand, at)
            for name, at in self.positions().items()
            if (name == named if named else at[2] < LYING_M)
        }
        name = min(far, key=lambda k: far[k], default="")
        return name, far.get(name, math.inf)


class Moved(OnTable):
    """Somebody moves the object that the hand is going for."""

    def ready(self, waited_s: float) -> bool:
        """The hand is near one, or has not been for too long."""
        name, far_m = self.aim()
        return bool(name) and (waited_s > PATIENCE_S or far_m < NEAR_M)

    def begin(self) -> None:
        """Slide it to where there is room, as it is turned."""
        name, client = self.aim()[0], self.world.client
        body = self.world.objects[name]
        at, turn = p.getBasePositionAndOrientation(body, physicsClientId=client)
        angles = self.rng.uniform(-math.pi, math.pi, TRIES)
        spots = [np.array(at) + self.size * np.array([math.cos(a), math.sin(a), 0.0]) for a in angles]
        there = next((spot for spot in spots if self.free(spot, self._radius[name], name)), spots[0])
        p.resetBasePositionAndOrientation(body, there.tolist(), turn, physicsClientId=client)
        p.resetBaseVelocity(body, [0, 0, 0], [0, 0, 0], physicsClientId=client)


class Pulled(OnTable):
    """Somebody pulls the object away from under the hand."""

    def ready(self, waited_s: float) -> bool:
        """As when it is moved at once."""
        name, far_m = self.aim()
        return bool(name) and (waited_s > PATIENCE_S or far_m < NEAR_M)

    def begin(self) -> None:
        """Choose the object, and a way with room at its end."""
        self._name = self.aim()[0]
        at = self.positions()[self._name]
        reach_m = self.size * (self.fault.lasts_s or 1.0)
        angles = self.rng.uniform(-math.pi, math.pi, TRIES)
        ways = [np.array([math.cos(a), math.sin(a), 0.0]) for a in angles]
        end = (way for way in ways if self.free(at + reach_m * way, self._radius[self._name], self._name))
        self._way = next(end, ways[0])

    def step(self) -> None:
        """A little further; what is in the way of it is pushed."""
        body, client = self.world.objects[self._name], self.world.client
        at, turn = p.getBasePositionAndOrientation(body, physicsClientId=client)
        there = np.array(at) + self._way * (self.size / CONTROL_HZ)
        p.resetBasePositionAndOrientation(body, there.tolist(), turn, physicsClientId=client)


class Friction(OnTable):
    """Other surfaces."""

    def begin(self) -> None:
        """So much of what it was."""
        self._set(self.world.placed.variation.friction * self.size)

    def end(self) -> None:
        """As it was."""
        self._set(self.world.placed.variation.friction)

    def _set(self, friction: float) -> None:
        for body, link in _links(self.world):
            p.changeDynamics(body, link, lateralFriction=friction, physicsClientId=self.world.client)


class Mass(OnTable):
    """Other weights."""

    def begin(self) -> None:
        """So many times as heavy."""
        self._scale(self.size)

    def end(self) -> None:
        """As before."""
        self._scale(1.0 / self.size)

    def _scale(self, factor: float) -> None:
        client = self.world.client
        for body, link in _links(self.world):
            mass = p.getDynamicsInfo(body, link, physicsClientId=client)[0]
            p.changeDynamics(body, link, mass=mass * factor, physicsClientId=client)


class Distractor(OnTable):
    """Something that nobody spoke of."""

    def begin(self) -> None:
        """A ball where there is room for it; none where there is not."""
        client = self.world.client
        self._body = -1
        room = AREA_X_M, AREA_Y_M
        for _ in range(TRIES):
            spot = np.array([self.rng.uniform(*room[0]), self.rng.uniform(*room[1]), self.size])
            if self.free(spot, self.size + 0.03):
                shape = p.createCollisionShape(p.GEOM_SPHERE, radius=self.size, physicsClientId=client)
                look = p.createVisualShape(
                    p.GEOM_SPHERE, radius=self.size, rgbaColor=GREY, physicsClientId=client
                )
                self._body = p.createMultiBody(0, shape, look, spot.tolist(), physicsClientId=client)
                return

    def end(self) -> None:
        """Taken away."""
        if self._body >= 0:
            p.removeBody(self._body, physicsClientId=self.world.client)


class Obstacle(OnTable):
    """Something that stands in the hand's way."""

    def ready(self, waited_s: float) -> bool:  # noqa: ARG002
        """The hand travels, and where it will be there is room for a post."""
        at, speed = self.hand()
        return at[2] > TRAVEL_M and math.hypot(*speed[:2]) > TRAVEL_M_S and self._spot() is not None

    def begin(self) -> None:
        """A post, from the table to above the hand."""
        client, spot = self.world.client, self._spot()
        shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=POST_HALF_M, physicsClientId=client)
        look = p.createVisualShape(
            p.GEOM_BOX, halfExtents=POST_HALF_M, rgbaColor=GREY, physicsClientId=client
        )
        self._body = p.createMultiBody(0, shape, look, spot, physicsClientId=client)

    def end(self) -> None:
        """Taken away."""
        p.removeBody(self._body, physicsClientId=self.world.client)

    def _spot(self) -> list[float] | None:
        at, speed = self.hand()
        level = np.array([speed[0], speed[1], 0.0])
        there = at + (HAND_HALF_LENGTH_M + self.size) * level / max(1e-9, float(np.linalg.norm(level)))
        clear = all(
            math.dist(there[:2], centre[:2]) > self._radius[name] + POST_HALF_M[0]
            for name, centre in self.positions().items()
        )
        return [float(there[0]), float(there[1]), POST_HALF_M[2]] if clear else None


def _links(world: World) -> Iterator[tuple[int, int]]:
    """Every part of every object."""
    for body in world.objects.values():
        for link in range(-1, p.getNumJoints(body, physicsClientId=world.client)):
            yield body, link
