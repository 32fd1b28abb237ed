"""Faults of what things look like: their size, and the table under them."""

from __future__ import annotations

from typing import Any

import pybullet as p

from sim.bodies import TABLE_CENTRE_M, TABLE_HALF_M, Box, Cylinder, add_visual
from sim.faults.effect import Effect

STRIPES, STRIPE_M, CLOTH_M = 10, 0.04, 0.0005


class Resized(Effect):
    """Objects of another size than those that perception and grasps know."""

    def place(self) -> None:
        """Each gets another body, on the same spot, of the same weight and friction."""
        client = self.world.client
        for name, body in self.world.objects.items():
            if not p.getNumJoints(body, physicsClientId=client):
                self.world.exchange(name, self._scaled(body))

    def _scaled(self, body: int) -> int:
        client, times = self.world.client, self.size
        at, turn = p.getBasePositionAndOrientation(body, physicsClientId=client)
        mass = p.getDynamicsInfo(body, -1, physicsClientId=client)[0]
        _, _, kind, size, *_ = p.getCollisionShapeData(body, -1, physicsClientId=client)[0]
        half = [times * value / 2 for value in size]
        solid = (
            p.createCollisionShape(kind, halfExtents=half, physicsClientId=client)
            if kind == p.GEOM_BOX
            else p.createCollisionShape(
                kind, height=times * size[0], radius=times * size[1], physicsClientId=client
            )
        )
        high_m = size[2] if kind == p.GEOM_BOX else size[0]
        there = (at[0], at[1], at[2] + (times - 1.0) * high_m / 2)
        parts = [_part(told, times) for told in p.getVisualShapeData(body, physicsClientId=client)]
        scaled: int = p.createMultiBody(
            mass, solid, add_visual(client, parts), there, turn, physicsClientId=client
        )
        return scaled


class Tablecloth(Effect):
    """A striped table."""

    def begin(self) -> None:
        """Stripes that nothing collides with, across all of the table, darker or brighter than it."""
        client, table = self.world.client, self.world.placed.variation.table
        sign = -1.0 if sum(table) > 1.5 else 1.0
        red, green, blue = (min(1.0, max(0.0, c + sign * self.size)) for c in table)
        half_x_m, half_y_m, _ = TABLE_HALF_M
        pitch_m = 2 * half_y_m / STRIPES
        stripes: list[Box | Cylinder] = [
            Box(
                (half_x_m, STRIPE_M / 2, CLOTH_M / 2),
                (0.0, -half_y_m + (k + 0.5) * pitch_m, 0.0),
                (red, green, blue, 1.0),
            )
            for k in range(STRIPES)
        ]
        at = [*TABLE_CENTRE_M[:2], CLOTH_M / 2]
        self._body: int = p.createMultiBody(0, -1, add_visual(client, stripes), at, physicsClientId=client)

    def end(self) -> None:
        """Taken off."""
        p.removeBody(self._body, physicsClientId=self.world.client)


def _part(told: Any, times: float) -> Box | Cylinder:
    """One primitive of a body's look, as `getVisualShapeData` tells it, scaled."""
    _, _, kind, size, _, centre, _, colour, *_ = told
    rgba = (colour[0], colour[1], colour[2], colour[3])
    at = (times * centre[0], times * centre[1], times * centre[2])
    if kind == p.GEOM_BOX:
        return Box((times * size[0] / 2, times * size[1] / 2, times * size[2] / 2), at, rgba)
    return Cylinder(times * size[1], times * size[0], at, rgba)
