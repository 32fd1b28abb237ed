"""Rows carried out on paper: where arm and things would be, without physics.

The teacher answers any state, so what it would do for the next second and a half can be worked out from one
instant: every frame shows a whole chunk, also where somebody else drives. And a state that was imagined can
be set up and looked at, which costs two pictures instead of an episode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.demos.judge import BEYOND_M, SUPPORTS, Situation, succeeded
from sim.demos.tasks import Kind, Task
from sim.demos.teacher import CLOSED, EMPTY, HANDLE_GRIP, Teacher
from sim.scene import PlacedPlace
from sim.truth import TrueObject, place_at
from vla_low_level.action import SHOWN_ROWS
from vla_low_level.geometry import (
    BUTTON_SWITCH_M,
    BUTTON_TOP_M,
    DRAWER_TRAVEL_M,
    FINGER_HALF_WIDTH_M,
    FINGERTIP_M,
    GRIPPER_STROKE_M,
    HANDLE_THICKNESS_M,
    OBJECTS,
    PLACES,
)
from vla_low_level.nouns import Category, Place, Side
from vla_low_level.observation import Proprioception
from vla_low_level.rotations import rotation_matrix, wrap, yaw_of

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

# Measured on the arms in the simulator, per row of 0.1 s: how far the arm stays behind a new speed, how much
# of a speed it follows after each row, and how much of the way to a command the fingers go.
BEHIND, CATCH_UP, COME_TO_REST, FINGERS = 0.39, 0.31, 0.7, 0.71
GRIP_FORCE_N = 40.0
# Something is between the fingers when the tool centre point is this near, m; gripped when they are this
# near to its width, and let go when they are this much wider, of their stroke.
BETWEEN_M, GRIPPED, LET_GO = 0.02, 0.02, 0.03
BUTTON_REACH_M = 0.014
PUSH_REACH_M = 0.03


@dataclass(frozen=True)
class Imagined:
    """An instant that has been worked out.

    Attributes:
        task: What is being done.
        point_m: Where the teacher takes, presses or pulls, [3].
        now: How things would be.
        body: What the arm would feel.
        drift_m: The part of the last row's step that the arm already follows, [3].
        down: Whether the button is down.
        places: The fixtures.
    """

    task: Task
    point_m: F64
    now: Situation
    body: Proprioception
    drift_m: F64
    down: bool
    places: Sequence[PlacedPlace]

    def after(self, row: F32) -> Imagined:
        """The instant after a row [7]."""
        step = row[:3].astype(np.float64)
        target = self.body.target_position_m + step
        rotation = rotation_matrix(row[3:6].astype(np.float64)) @ self.body.target_rotation
        here = target - BEHIND * (step - self.drift_m)
        opening = self.body.gripper_opening
        opening += FINGERS * (float(np.clip(row[6], 0.0, 1.0)) - opening)
        width = self._width(here)
        gripped = width is not None and row[6] < CLOSED and opening < width + GRIPPED
        if width is not None and gripped:
            opening = max(opening, width)
        turned = wrap(yaw_of(rotation) - yaw_of(self.body.target_rotation))
        body = replace(
            self.body,
            ee_position_m=here,
            ee_rotation=rotation,
            target_position_m=target,
            target_rotation=rotation,
            gripper_opening=opening,
            last_command=row.astype(np.float64),
            contact_force_n=GRIP_FORCE_N if gripped else 0.0,
        )
        now, down = self._things(here, turned, gripped=gripped, opening=opening, width=width)
        return replace(self, now=now, body=body, drift_m=self._drift(step), down=down)

    def _drift(self, step: F64) -> F64:
        """It follows a faster motion bit by bit, and comes to rest at once."""
        gap = step - self.drift_m
        size, speed = float(np.linalg.norm(gap)), float(np.linalg.norm(step))
        slower = speed < float(np.linalg.norm(self.drift_m))
        share = COME_TO_REST if slower else min(1.0, CATCH_UP * speed / max(1e-9, size))
        return np.asarray(self.drift_m + share * gap)

    def _width(self, here: F64) -> float | None:
        """Width of what is between the fingers, of their stroke; None for nothing."""
        task, now = self.task, self.now
        item = now.get(now.held) if now.held else None
        if item is None and task.kind is Kind.PICK and _near(here, self.point_m, BETWEEN_M):
            item = now.get(task.object)
        if item is not None:
            return OBJECTS[item.category].grasp_width_m / GRIPPER_STROKE_M
        sliding = task.kind in (Kind.OPEN_DRAWER, Kind.CLOSE_DRAWER)
        if sliding and _near(here, self._handle(), BETWEEN_M):
            return HANDLE_THICKNESS_M / GRIPPER_STROKE_M
        return None

    def _handle(self) -> F64:
        return np.asarray(self.point_m - [self.now.opening_m or 0.0, 0.0, 0.0])

    def _things(
        self, here: F64, turned: float, *, gripped: bool, opening: float, width: float | None
    ) -> tuple[Situation, bool]:
        """What becomes of the things, and whether the button is down."""
        task, now, down = self.task, self.now, self.down
        moved = here - self.body.ee_position_m
        match task.kind:
            case Kind.PICK | Kind.PLACE_IN | Kind.PLACE_ON:
                now = self._carried(here, moved, turned, gripped=gripped, opening=opening, width=width)
            case Kind.OPEN_DRAWER | Kind.CLOSE_DRAWER if gripped and EMPTY < opening < HANDLE_GRIP:
                out = (now.opening_m or 0.0) - float(moved[0])
                now = replace(now, opening_m=min(DRAWER_TRAVEL_M, max(0.0, out)))
            case Kind.PUSH:
                now = self._pushed(here)
            case Kind.PRESS:
                above = math.dist(here[:2], self.point_m[:2]) < BUTTON_REACH_M
                pressed = above and BUTTON_TOP_M - (here[2] - FINGERTIP_M) > BUTTON_SWITCH_M
                if pressed and not down:
                    now = replace(now, lit=not now.lit)
                down = pressed
            case _:
                pass
        return now, down

    def _carried(
        self, here: F64, moved: F64, turned: float, *, gripped: bool, opening: float, width: float | None
    ) -> Situation:
        now = self.now
        if now.held is None:
            return replace(now, held=self.task.object) if gripped and self.task.kind is Kind.PICK else now
        item = now.get(now.held)
        if width is None or opening < width + LET_GO:
            return _with(now, _swung(item, here, moved, turned))
        x, y, _ = item.centre_m
        return _with(
            replace(now, held=None),
            _put(item, (x, y, self._floor(item)), place_at(self.places, item.centre_m)),
        )

    def _floor(self, item: TrueObject) -> float:
        """Height of what it comes to stand on."""
        if self.task.kind is Kind.PLACE_ON:
            base = self.now.get(self.task.base)
            if (
                math.dist(base.position_m[:2], item.position_m[:2])
                < OBJECTS[base.category].footprint_radius_m
            ):
                return base.position_m[2] + SUPPORTS[base.category]
        place = place_at(self.places, item.centre_m)
        return PLACES[place].floor_m if place else 0.0

    def _pushed(self, here: F64) -> Situation:
        item, size = self.now.get(self.task.object), OBJECTS[self.now.get(self.task.object).category]
        side = (self.task.side or Side.LEFT).sign
        plate = item.category is Category.PLATE
        behind = (size.footprint_radius_m if plate else size.grasp_width_m * 0.62) + FINGER_HALF_WIDTH_M
        x, y, z = item.position_m
        low, gap = here[2] < z + size.height_m, (y - here[1]) * side
        if not (low and abs(here[0] - x) < PUSH_REACH_M and 0.0 < gap < behind):
            return self.now
        at = (x, float(here[1]) + side * behind, z)
        return _with(self.now, _put(item, at, None))


def imagined(
    teacher: Teacher, now: Situation, body: Proprioception, places: Sequence[PlacedPlace]
) -> Imagined:
    """An instant as it is, to go on from."""
    step = body.last_command[:3]
    # What the lag says of how well the arm follows its last step.
    behind = body.target_position_m - body.ee_position_m
    return Imagined(
        teacher.task, teacher.point_m, now, body, step - behind / BEHIND, down=False, places=places
    )


def ahead(teacher: Teacher, at: Imagined, start: Situation, rows: int = SHOWN_ROWS) -> F32:
    """What the teacher would do from here, [rows, 7]; after it is done, nothing."""
    chunk = np.zeros((rows, 7), np.float32)
    for k in range(rows):
        row, _ = teacher.row(at.now, at.body)
        if done(at, start):
            row[:6] = 0.0
        chunk[k] = row
        if k + 1 < rows:
            at = at.after(row)
    return chunk


def done(at: Imagined, start: Situation) -> bool:
    """Whether a demonstration would end here."""
    x, y, z = (float(v) for v in at.body.ee_position_m)
    return succeeded(at.task, at.now, start, (x, y, z), beyond_m=BEYOND_M)


def _near(one: F64, other: F64, tolerance_m: float) -> bool:
    return float(np.linalg.norm(one - other)) < tolerance_m


def _with(now: Situation, changed: TrueObject) -> Situation:
    things = tuple(changed if item.id == changed.id else item for item in now.scene.objects)
    return replace(now, scene=now.scene.model_copy(update={"objects": things}))


def _swung(item: TrueObject, here: F64, moved: F64, turned: float) -> TrueObject:
    """An object after the hand that holds it has moved to `here` and turned about itself."""
    c, s = math.cos(turned), math.sin(turned)
    was = here - moved
    dx, dy = item.centre_m[0] - was[0], item.centre_m[1] - was[1]
    at = (
        float(here[0] + c * dx - s * dy),
        float(here[1] + s * dx + c * dy),
        item.position_m[2] + float(moved[2]),
    )
    return _put(item, at, item.place, turned)


def _put(
    item: TrueObject, base_m: tuple[float, float, float], place: Place | None, turned: float = 0.0
) -> TrueObject:
    """An object with its base there."""
    up = item.centre_m[2] - item.position_m[2]
    return item.model_copy(
        update={
            "position_m": base_m,
            "centre_m": (base_m[0], base_m[1], base_m[2] + up),
            "yaw_rad": item.yaw_rad + turned,
            "place": place,
        }
    )
