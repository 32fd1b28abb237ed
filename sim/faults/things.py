"""Faults of the table and of what is on it."""

from __future__ import annotations

import math

import numpy as np
import pybullet as p

from sim.faults.effect import F64, Effect
from sim.faults.spec import Fault
from sim.scene import AREA_X_M, AREA_Y_M
from sim.world import World
from vla_low_level.geometry import OBJECTS

# The hand is that near when the object is taken away, and no waiting is longer than this.
NEAR_M = 0.09
PATIENCE_S = 8.0
# What is held is further up than this.
LYING_M = 0.06
TRIES = 64


class Moved(Effect):
    """Somebody moves the object that the hand is going for."""

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        super().__init__(fault, world, seed)
        self._kinematics = world.embodiment.kinematics()

    def ready(self, waited_s: float) -> bool:
        """The hand is near one, or has not been for too long."""
        return waited_s > PATIENCE_S or self._nearest()[1] < NEAR_M

    def begin(self) -> None:
        """Slide it to where there is room, as it is turned."""
        name, _ = self._nearest()
        body = self.world.objects[name]
        position, turn = p.getBasePositionAndOrientation(body, physicsClientId=self.world.client)
        x, y = self._room(name, np.array(position[:2]))
        p.resetBasePositionAndOrientation(body, [x, y, position[2]], turn, physicsClientId=self.world.client)
        p.resetBaseVelocity(body, [0, 0, 0], [0, 0, 0], physicsClientId=self.world.client)

    def _nearest(self) -> tuple[str, float]:
        """The lying object nearest to the hand, or the one that is aimed at; and how far it is, m."""
        hand = self._kinematics.forward(self.world.read().joint_position_rad)[0]
        lying = {
            name: at for name, at in self._positions().items() if at[2] < LYING_M or name == self.fault.aim
        }
        wanted = {name: at for name, at in lying.items() if self.fault.aim in ("", name)}
        if not wanted:
            return next(iter(self.world.objects), ""), math.inf
        return min(((name, math.dist(hand, at)) for name, at in wanted.items()), key=lambda item: item[1])

    def _positions(self) -> dict[str, F64]:
        return {
            name: np.array(p.getBasePositionAndOrientation(body, physicsClientId=self.world.client)[0])
            for name, body in self.world.objects.items()
        }

    def _room(self, name: str, here: F64) -> F64:
        """So far away, where it touches nothing and stays on the free part of the table if that can be."""
        others = {other: at[:2] for other, at in self._positions().items() if other != name}
        sizes = {o.id: OBJECTS[o.category].footprint_radius_m for o in self.world.placed.objects}
        there = here
        for _ in range(TRIES):
            angle = self.rng.uniform(-math.pi, math.pi)
            there = here + self.size * np.array([math.cos(angle), math.sin(angle)])
            inside = AREA_X_M[0] < there[0] < AREA_X_M[1] and AREA_Y_M[0] < there[1] < AREA_Y_M[1]
            free = all(math.dist(there, at) > sizes[name] + sizes[other] for other, at in others.items())
            if inside and free:
                break
        return there
