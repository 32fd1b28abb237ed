"""Things that stand still and have a moving part: a cabinet with a drawer, a lamp with a button."""

from __future__ import annotations

from collections.abc import Sequence

import pybullet as p

from sim.bodies import Box, Cylinder, Rgba, Vector, add_visual
from sim.scene import WALL_M, PlacedDrawer, PlacedLamp
from vla_low_level.geometry import (
    BUTTON_BASE_M,
    BUTTON_RADIUS_M,
    BUTTON_SWITCH_M,
    BUTTON_TOP_M,
    BUTTON_TRAVEL_M,
    CABINET_SIZE_M,
    DRAWER_TRAVEL_M,
    HANDLE_HEIGHT_M,
    HANDLE_LENGTH_M,
    HANDLE_STANDOFF_M,
    HANDLE_THICKNESS_M,
    LAMP_HEIGHT_M,
    LAMP_OFFSET_M,
    LAMP_SHADE_HEIGHT_M,
    LAMP_SHADE_RADIUS_M,
)

WOOD: Rgba = (0.50, 0.33, 0.20, 1.0)
FRONT: Rgba = (0.70, 0.52, 0.34, 1.0)
STEEL: Rgba = (0.30, 0.32, 0.36, 1.0)
CAP: Rgba = (0.80, 0.08, 0.45, 1.0)
LIT: Rgba = (1.0, 0.95, 0.55, 1.0)
DARK: Rgba = (0.30, 0.34, 0.42, 1.0)
# What it takes to move the drawer, and to hold the cap up, N.
DRAWER_FRICTION_N = 3.0
CAP_SPRING_N = 5.0
RELEASED_M = 0.002


class Drawer:
    """A cabinet whose drawer slides along -x. Static sides, one sliding body of fixed parts."""

    def __init__(self, client: int, placed: PlacedDrawer) -> None:
        self.client = client
        self.body = _add_cabinet(client, placed)
        dynamics = {"linearDamping": 0.0, "angularDamping": 0.0, "jointDamping": 0.0}
        p.changeDynamics(
            self.body,
            0,
            jointLowerLimit=0.0,
            jointUpperLimit=DRAWER_TRAVEL_M,
            physicsClientId=client,
            **dynamics,
        )
        p.resetJointState(self.body, 0, placed.opening_m, physicsClientId=client)
        # A velocity motor at rest is dry friction: the drawer stays where it is left.
        p.setJointMotorControl2(
            self.body,
            0,
            p.VELOCITY_CONTROL,
            targetVelocity=0,
            force=DRAWER_FRICTION_N,
            physicsClientId=client,
        )

    def put(self, opening_m: float) -> None:
        """Have it out so far, at once."""
        p.resetJointState(self.body, 0, opening_m, physicsClientId=self.client)

    @property
    def state(self) -> tuple[float, float]:
        """How far it is out, m, and how fast it moves, m/s."""
        opening, speed = p.getJointState(self.body, 0, physicsClientId=self.client)[:2]
        return float(opening), float(speed)


class Lamp:
    """A lamp that its button switches each time the cap goes down."""

    def __init__(self, client: int, placed: PlacedLamp) -> None:
        self.client = client
        self.lit = placed.lit
        self._down = False
        self.button = _add_button(client, placed)
        self.body = _add_lamp(client, placed)
        p.changeDynamics(
            self.button, 0, jointLowerLimit=-BUTTON_TRAVEL_M, jointUpperLimit=0.0, physicsClientId=client
        )
        p.setJointMotorControl2(
            self.button, 0, p.POSITION_CONTROL, targetPosition=0, force=CAP_SPRING_N, physicsClientId=client
        )
        self._show()

    @property
    def state(self) -> tuple[float, float, float]:
        """Height of the cap relative to rest, m, its speed, m/s, and 1 when the lamp is lit."""
        height, speed = p.getJointState(self.button, 0, physicsClientId=self.client)[:2]
        return float(height), float(speed), float(self.lit)

    def put(self, *, lit: bool) -> None:
        """Have it lit or not, at once."""
        self.lit = lit
        self._show()

    def step(self) -> None:
        """Switch when the cap has just gone down far enough."""
        height = self.state[0]
        if self._down:
            self._down = height < -RELEASED_M
        elif height < -BUTTON_SWITCH_M:
            self._down, self.lit = True, not self.lit
            self._show()

    def _show(self) -> None:
        p.changeVisualShape(self.body, -1, rgbaColor=LIT if self.lit else DARK, physicsClientId=self.client)


def _add_cabinet(client: int, placed: PlacedDrawer) -> int:
    """Base: the roof. Link 0 slides: the drawer's front. Further links are fixed to either."""
    depth, width, height = CABINET_SIZE_M
    x, y = placed.position_m
    roof_z = height - WALL_M / 2
    # The inner sizes leave a gap all round, so that the drawer never rubs.
    inner_w, inner_h = width / 2 - WALL_M - 0.003, height - WALL_M - 0.010
    front = Box(
        (WALL_M / 2, width / 2 - 0.001, height / 2 - 0.006),
        (-depth / 2 - WALL_M / 2, 0, height / 2 - roof_z),
        FRONT,
    )
    on_front = [
        Box(
            (depth / 2 - 0.004, inner_w, 0.002),
            (WALL_M / 2 + depth / 2 - 0.004, 0, 0.007 - height / 2),
            FRONT,
        ),
        Box(
            (depth / 2 - 0.004, 0.002, inner_h / 3),
            (depth / 2, inner_w, 0.009 - height / 2 + inner_h / 3),
            FRONT,
        ),
        Box(
            (depth / 2 - 0.004, 0.002, inner_h / 3),
            (depth / 2, -inner_w, 0.009 - height / 2 + inner_h / 3),
            FRONT,
        ),
        Box((0.002, inner_w, inner_h / 3), (depth - 0.008, 0, 0.009 - height / 2 + inner_h / 3), FRONT),
        Box(
            (HANDLE_THICKNESS_M / 2, HANDLE_LENGTH_M / 2, HANDLE_THICKNESS_M / 2),
            (-HANDLE_STANDOFF_M - WALL_M / 2, 0, HANDLE_HEIGHT_M - height / 2),
            STEEL,
        ),
        *(
            Box(
                (HANDLE_STANDOFF_M / 2, 0.004, 0.004),
                (-HANDLE_STANDOFF_M / 2, k * HANDLE_LENGTH_M / 2, HANDLE_HEIGHT_M - height / 2),
                STEEL,
            )
            for k in (-1, 1)
        ),
    ]
    on_roof = [
        Box((depth / 2, WALL_M / 2, roof_z / 2), (0, width / 2 - WALL_M / 2, -roof_z / 2), WOOD),
        Box((depth / 2, WALL_M / 2, roof_z / 2), (0, WALL_M / 2 - width / 2, -roof_z / 2), WOOD),
        Box((WALL_M / 2, width / 2, roof_z / 2), (depth / 2 - WALL_M / 2, 0, -roof_z / 2), WOOD),
    ]
    base = Box((depth / 2, width / 2, WALL_M / 2), (x, y, roof_z), WOOD)
    parts = [front, *on_front, *on_roof]
    parents = [0, *[1] * len(on_front), *[0] * len(on_roof)]
    kinds = [p.JOINT_PRISMATIC, *[p.JOINT_FIXED] * (len(parts) - 1)]
    return _linked(client, base, parts, parents, kinds, (-1, 0, 0))


def _add_button(client: int, placed: PlacedLamp) -> int:
    x, y = placed.position_m
    half: Vector = (BUTTON_BASE_M[0] / 2, BUTTON_BASE_M[1] / 2, BUTTON_BASE_M[2] / 2)
    base = Box(half, (x, y, half[2]), STEEL)
    tall = BUTTON_TOP_M - BUTTON_BASE_M[2] + BUTTON_TRAVEL_M
    cap = Cylinder(BUTTON_RADIUS_M, tall, (0, 0, BUTTON_TOP_M - tall / 2 - half[2]), CAP)
    return _linked(client, base, [cap], [0], [p.JOINT_PRISMATIC], (0, 0, 1))


def _add_lamp(client: int, placed: PlacedLamp) -> int:
    """One upright cylinder is solid; the shade on top of it is what changes colour."""
    x, y = placed.position_m[0] + LAMP_OFFSET_M[0], placed.position_m[1] + LAMP_OFFSET_M[1]
    foot = Cylinder(LAMP_SHADE_RADIUS_M * 0.9, 0.012, (0, 0, 0.006), STEEL)
    pole = Cylinder(
        0.007, LAMP_HEIGHT_M - LAMP_SHADE_HEIGHT_M, (0, 0, (LAMP_HEIGHT_M - LAMP_SHADE_HEIGHT_M) / 2), STEEL
    )
    p.createMultiBody(0, -1, add_visual(client, [foot, pole]), [x, y, 0], physicsClientId=client)
    solid = p.createCollisionShape(
        p.GEOM_CYLINDER, radius=LAMP_SHADE_RADIUS_M * 0.8, height=LAMP_HEIGHT_M, physicsClientId=client
    )
    shade = p.createVisualShape(
        p.GEOM_CYLINDER,
        radius=LAMP_SHADE_RADIUS_M,
        length=LAMP_SHADE_HEIGHT_M,
        rgbaColor=DARK,
        visualFramePosition=[0, 0, (LAMP_HEIGHT_M - LAMP_SHADE_HEIGHT_M) / 2],
        physicsClientId=client,
    )
    body: int = p.createMultiBody(0, solid, shade, [x, y, LAMP_HEIGHT_M / 2], physicsClientId=client)
    return body


def _linked(
    client: int,
    base: Box,
    parts: Sequence[Box | Cylinder],
    parents: list[int],
    kinds: list[int],
    axis: Vector,
) -> int:
    """A static box with links: one shape each."""
    n = len(parts)
    body: int = p.createMultiBody(
        0,
        _solid(client, base),
        _look(client, base),
        base.centre,
        linkMasses=[0.05] * n,
        linkCollisionShapeIndices=[_solid(client, part) for part in parts],
        linkVisualShapeIndices=[_look(client, part) for part in parts],
        linkPositions=[part.centre for part in parts],
        linkOrientations=[[0, 0, 0, 1]] * n,
        linkInertialFramePositions=[[0, 0, 0]] * n,
        linkInertialFrameOrientations=[[0, 0, 0, 1]] * n,
        linkParentIndices=parents,
        linkJointTypes=kinds,
        linkJointAxis=[axis] * n,
        physicsClientId=client,
    )
    for link in range(-1, n):
        p.changeDynamics(
            body,
            link,
            lateralFriction=1.0,
            activationState=p.ACTIVATION_STATE_DISABLE_SLEEPING,
            physicsClientId=client,
        )
    return body


def _solid(client: int, part: Box | Cylinder) -> int:
    shape: int = (
        p.createCollisionShape(p.GEOM_BOX, halfExtents=part.half, physicsClientId=client)
        if isinstance(part, Box)
        else p.createCollisionShape(
            p.GEOM_CYLINDER, radius=part.radius, height=part.height, physicsClientId=client
        )
    )
    return shape


def _look(client: int, part: Box | Cylinder) -> int:
    shape: int = (
        p.createVisualShape(p.GEOM_BOX, halfExtents=part.half, rgbaColor=part.rgba, physicsClientId=client)
        if isinstance(part, Box)
        else p.createVisualShape(
            p.GEOM_CYLINDER,
            radius=part.radius,
            length=part.height,
            rgbaColor=part.rgba,
            physicsClientId=client,
        )
    )
    return shape
