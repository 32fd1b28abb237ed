"""The scripted teacher: from the truth to the next row, at any state, not along a recorded path.

Because its answer depends on the present state alone, it recovers from whatever a burst of noise, or a
policy that is still learning, has done; and it goes through clear stages (over the target, aligned,
down), so that misaligned states above the target are common in what it shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.arms import embodiment
from sim.demos.judge import SUPPORTS, Situation
from sim.demos.tasks import Kind, Task
from sim.expert import Held, choose_grasp, release
from sim.scene import PlacedScene
from vla_low_level.geometry import (
    BUTTON_TOP_M,
    DRAWER_OPEN_M,
    FINGER_HALF_WIDTH_M,
    GRIPPER_STROKE_M,
    OBJECTS,
    SIDE_Y_M,
)
from vla_low_level.nouns import Category, Side, Switch
from vla_low_level.observation import Proprioception
from vla_low_level.policies.specialist import HOME_YAW_RAD
from vla_low_level.policy import GraspTarget
from vla_low_level.rotations import nearest_turn, rotation_vector, tool_down, wrap, yaw_of

F64 = NDArray[np.float64]

RATE_HZ = 10.0
MOVE_M = 0.021
TURN_RAD = 0.085
# Stages of an approach: cross at this height, hover this far above the target, then go down.
CROSS_M = 0.20
CARRY_M = 0.27
HOVER_M = 0.07
FAR_M, NEAR_M, NEAR_RAD = 0.045, 0.006, 0.06
TURNED_RAD = 0.35
LIFT_M = 0.17
AWAY_M = 0.22
CLOSED, OPENED = 0.5, 0.5
EMPTY = 0.02
WRIST_RAD = 1.75
SWING_RAD = 0.25
# The walls of a narrow fixture may keep the fingers from opening all the way.
SLACK_OPENING = 0.22
PULL_M = 0.014
PULLED_M, PUSHED_IN_M = 0.105, 0.004
HANDLE_OPENING, HANDLE_GRIP = 0.40, 0.20
PUSH_OPENING = 0.50
PUSH_GAP_M = 0.022
PUSH_MARGIN_M = 0.018
PUSH_CRADLE_M = {Category.CUBE: 0.030, Category.PLATE: 0.012}
PUSH_HEIGHT_M = {Category.CUBE: 0.020, Category.PLATE: 0.013}
# The fingertips reach 7 mm below the tool centre point, so this presses the cap by 7 mm.
PRESS_M = BUTTON_TOP_M


@dataclass(frozen=True, slots=True)
class Aim:
    """Where the hand should be next.

    Attributes:
        position_m: float64 [3], tool centre point.
        yaw_rad: Finger axis about world z.
        gripper: 0 closed .. 1 open.
        target_m: float64 [3], the point of the subgoal itself, for the pictures' labels.
        target_yaw_rad: The finger axis that the subgoal ends with.
        step_m: Longest move in one row.
    """

    position_m: F64
    yaw_rad: float
    gripper: float
    target_m: F64
    target_yaw_rad: float
    step_m: float = MOVE_M


class Teacher:
    """Shows one task. What it has decided, which grasp and which spot, it keeps for the episode.

    Attributes:
        task: What it shows.
        point_m: float64 [3], where it takes, lets go, presses, or pulls when the drawer is closed.
    """

    def __init__(self, task: Task, placed: PlacedScene, start: Situation, body: Proprioception) -> None:
        """Decide, for the arm that stands there.

        Raises:
            LookupError: When there is no way to do it from here.
        """
        self.task = task
        self._placed = placed
        self._inner_m = embodiment(placed.arm).inner_m
        self.point_m, self._yaw, self._opening = self._decide(start, body)

    def row(self, now: Situation, body: Proprioception) -> tuple[NDArray[np.float32], Aim]:
        """The next row [7] of a chunk at `RATE_HZ`, and what it aims at."""
        aim = self.aim(now, body)
        return row_towards(aim, body), aim

    def aim(self, now: Situation, body: Proprioception) -> Aim:
        """Where the hand should be next."""
        match self.task.kind:
            case Kind.PICK:
                return self._pick(now, body)
            case Kind.PLACE_IN | Kind.PLACE_ON:
                return self._put(now, body)
            case Kind.OPEN_DRAWER | Kind.CLOSE_DRAWER:
                return self._slide(now, body)
            case Kind.PUSH:
                return self._push(now, body)
            case Kind.PRESS:
                return self._press(now, body)

    def _decide(self, start: Situation, body: Proprioception) -> tuple[F64, float, float]:
        """Point, yaw and opening that the episode works towards; the furniture's point follows its motion."""
        task, places = self.task, self._placed.places
        if task.kind is Kind.PICK:
            held = choose_grasp(start.scene, places, str(task.object))
            if held is None:
                raise LookupError("no way to take it")
            return held.grasp.position_m, held.grasp.yaw_rad, held.grasp.opening
        if task.kind in (Kind.PLACE_IN, Kind.PLACE_ON):
            return self._decide_put(start, body)
        if task.kind in (Kind.OPEN_DRAWER, Kind.CLOSE_DRAWER) and self._placed.drawer:
            return np.array(self._placed.drawer.handle_m), 0.0, HANDLE_OPENING
        if task.kind is Kind.PRESS and self._placed.lamp:
            return np.array([*self._placed.lamp.position_m, PRESS_M]), 0.0, 0.0
        if task.kind is Kind.PUSH:
            return np.array(start.get(task.object).position_m), 0.0, PUSH_OPENING
        raise LookupError(f"nothing to {task.kind.value} here")

    def _decide_put(self, start: Situation, body: Proprioception) -> tuple[F64, float, float]:
        item = start.get(self.task.object)
        base = np.array(item.position_m)
        if item.fallen:
            raise LookupError("it hangs askew")
        grip = GraspTarget(body.target_position_m, yaw_of(body.target_rotation), 0.3)
        if self.task.kind is Kind.PLACE_IN:
            fixture = next((f for f in self._placed.places if f.place is self.task.place), None)
            # Seen from the hand, the object's base is where it would be had it been taken from there.
            way = fixture and release(
                start.scene, self._placed.places, Held(grip, item), fixture, self._inner_m
            )
            if not way:
                raise LookupError("no free spot")
            return way.position_m, way.yaw_rad, way.opening
        under = start.get(self.task.base)
        top = under.position_m[2] + SUPPORTS[under.category] + 0.004
        offset = grip.position_m - base
        yaw = _carried(body, np.array(under.position_m), grip.yaw_rad)
        turn = yaw - grip.yaw_rad
        c, s = math.cos(turn), math.sin(turn)
        spot = np.array([c * offset[0] - s * offset[1], s * offset[0] + c * offset[1], offset[2]])
        width = OBJECTS[item.category].grasp_width_m + 0.024
        return (
            np.array([under.position_m[0], under.position_m[1], top]) + spot,
            yaw,
            min(1.0, max(0.6, width / GRIPPER_STROKE_M)),
        )

    def _pick(self, now: Situation, body: Proprioception) -> Aim:
        here, point = body.target_position_m, self.point_m
        yaw = _bearable(self._yaw, body, self.point_m, math.pi)
        closing = body.last_command[6] < CLOSED
        if now.held == self.task.object and closing:
            up = np.array([here[0], here[1], max(point[2] + LIFT_M, here[2])])
            return Aim(up, yaw_of(body.target_rotation), 0.0, point, yaw)
        if closing and _close(here, point, 0.015) and body.gripper_opening > EMPTY:
            return Aim(here, yaw, 0.0, point, yaw)
        return self._approach(body, point, yaw, self._opening, 0.0)

    def _put(self, now: Situation, body: Proprioception) -> Aim:
        here, point = body.target_position_m, self.point_m
        yaw = _bearable(self._yaw, body, self.point_m, 2 * math.pi)
        if now.held != self.task.object:
            return self._leave(body, point, yaw, self._opening)
        if body.last_command[6] > OPENED and _close(here, point, 0.02):
            return Aim(here, yaw, self._opening, point, yaw)
        off = float(np.linalg.norm(here[:2] - point[:2]))
        turn = abs(wrap(yaw - yaw_of(body.target_rotation)))
        if off > FAR_M or turn > TURNED_RAD:
            return Aim(_crossing(here, point, CARRY_M, off), yaw, 0.0, point, yaw)
        if off > NEAR_M or turn > NEAR_RAD:
            hover = point[2] + HOVER_M
            return Aim(np.array([point[0], point[1], hover]), yaw, 0.0, point, yaw)
        if not _close(here, point, 0.002) or not _close(body.ee_position_m, point, 0.008):
            return Aim(point, yaw, 0.0, point, yaw)
        return Aim(point, yaw, self._opening, point, yaw)

    def _slide(self, now: Situation, body: Proprioception) -> Aim:
        here = body.target_position_m
        opening = now.opening_m or 0.0
        handle = self.point_m - np.array([opening, 0.0, 0.0])
        yaw = _along_x(body)
        pulling = self.task.kind is Kind.OPEN_DRAWER
        done = opening > (PULLED_M if pulling else math.inf) or opening < (-1.0 if pulling else PUSHED_IN_M)
        enough = opening > DRAWER_OPEN_M if pulling else opening < 0.012
        gripping = body.last_command[6] < CLOSED and body.gripper_opening < HANDLE_GRIP
        held = gripping and body.gripper_opening > EMPTY and _close(body.ee_position_m, handle, 0.02)
        if held and not done:
            step = np.array([-PULL_M if pulling else PULL_M, 0.0, 0.0])
            ahead = np.array([handle[0], self.point_m[1], self.point_m[2]])
            # Never further ahead of the handle than one can be without straining.
            return Aim(ahead + 1.6 * step, yaw, 0.0, handle, yaw, PULL_M)
        if (enough and not held) or done:
            return self._leave(body, handle, yaw, HANDLE_OPENING)
        if (
            body.last_command[6] < CLOSED
            and _close(here, handle, 0.012)
            and body.gripper_opening > HANDLE_GRIP
        ):
            return Aim(here, yaw, 0.0, handle, yaw)
        return self._approach(body, handle, yaw, HANDLE_OPENING, 0.0)

    def _push(self, now: Situation, body: Proprioception) -> Aim:
        item, here = now.get(self.task.object), body.target_position_m
        side = (self.task.side or Side.LEFT).sign
        # Bearable where the push ends: turning the hand on the way would lose the object.
        end = np.array([item.position_m[0], side * SIDE_Y_M, 0.0])
        yaw = _bearable(0.0, body, end, math.pi)
        low = item.position_m[2] + PUSH_HEIGHT_M[item.category]
        size = OBJECTS[item.category]
        radius = size.footprint_radius_m if item.category is Category.PLATE else size.grasp_width_m * 0.62
        behind = radius + FINGER_HALF_WIDTH_M
        x, y, _ = item.position_m
        start = np.array([x, y - side * (behind + PUSH_GAP_M), low])
        if y * side > SIDE_Y_M + PUSH_MARGIN_M:
            return self._leave(body, np.array([x, y, low]), yaw, PUSH_OPENING)
        gap = (y - here[1]) * side
        # A cube's corner may lie between the fingers, which holds it there.
        near = behind - PUSH_CRADLE_M[item.category]
        lined_up = abs(here[0] - x) < 0.014 and near < gap < behind + PUSH_GAP_M + 0.012
        if lined_up and here[2] < low + 0.006 and abs(wrap(yaw - yaw_of(body.target_rotation))) < 0.1:
            ahead = np.array([x, here[1] + side * PULL_M, low])
            return Aim(ahead, yaw, PUSH_OPENING, np.array([x, y, low]), yaw, PULL_M)
        return replace(
            self._approach(body, start, yaw, PUSH_OPENING, PUSH_OPENING), target_m=np.array([x, y, low])
        )

    def _press(self, now: Situation, body: Proprioception) -> Aim:
        yaw = _along_x(body)
        if now.lit is (self.task.switch is Switch.ON):
            return self._leave(body, self.point_m, yaw, 0.0)
        return self._approach(body, self.point_m, yaw, 0.0, 0.0)

    def _approach(self, body: Proprioception, point: F64, yaw: float, ready: float, at_end: float) -> Aim:
        """Cross above everything, hover and align, go down; the gripper is `ready` on the way."""
        here = body.target_position_m
        off = float(np.linalg.norm(here[:2] - point[:2]))
        turn = abs(wrap(yaw - yaw_of(body.target_rotation)))
        unready = body.gripper_opening < ready - 0.08
        hover = np.array([point[0], point[1], point[2] + HOVER_M])
        if off > FAR_M or turn > TURNED_RAD:
            # Still turning: stay up here, where the hand hits nothing.
            far = off + max(0.0, turn - TURNED_RAD)
            return Aim(_crossing(here, point, CROSS_M, far), yaw, ready, point, yaw)
        if off > NEAR_M or turn > NEAR_RAD or (unready and here[2] > point[2] + 0.03):
            return Aim(hover, yaw, ready, point, yaw)
        if unready:
            return Aim(np.array([here[0], here[1], hover[2]]), yaw, ready, point, yaw)
        if not _close(here, point, 0.002) or not _close(body.ee_position_m, point, 0.006):
            return Aim(point, yaw, ready, point, yaw)
        return Aim(point, yaw, at_end, point, yaw)

    def _leave(self, body: Proprioception, point: F64, yaw: float, gripper: float) -> Aim:
        """Let go and go straight up."""
        here = body.target_position_m
        if body.gripper_opening < gripper - SLACK_OPENING:
            return Aim(here, yaw_of(body.target_rotation), gripper, point, yaw)
        up = np.array([here[0], here[1], max(AWAY_M, here[2])])
        # Fingers that a wall holds back do not go on pressing against it while the hand leaves.
        free = min(gripper, body.gripper_opening + SLACK_OPENING / 4)
        return Aim(up, yaw_of(body.target_rotation), free, point, yaw)


def row_towards(aim: Aim, body: Proprioception) -> NDArray[np.float32]:
    """One row towards an aim: a straight step and a turn, both bounded; the hand stays upright."""
    row = np.zeros(7, dtype=np.float32)
    step = aim.position_m - body.target_position_m
    row[:3] = step * min(1.0, aim.step_m / max(1e-9, float(np.linalg.norm(step))))
    yaw = yaw_of(body.target_rotation)
    turn = min(TURN_RAD, max(-TURN_RAD, aim.yaw_rad - yaw))
    vector = rotation_vector(tool_down(yaw + turn) @ body.target_rotation.T)
    row[3:6] = vector * min(1.0, 1.1 * TURN_RAD / max(1e-9, float(np.linalg.norm(vector))))
    row[6] = aim.gripper
    return row


def _crossing(here: F64, point: F64, height_m: float, off_m: float) -> F64:
    """On the way over: up first, then across and down along a slope towards the hover point."""
    slope = point[2] + HOVER_M + 1.2 * max(0.0, off_m - FAR_M)
    level = min(height_m, max(slope, point[2] + HOVER_M))
    level = max(level, min(height_m, point[2] + 0.12)) if off_m > 0.09 else level
    if here[2] < level - 0.03:
        return np.array([here[0], here[1], level])
    x, y = _arc(here, point)
    return np.array([x, y, level])


def _arc(here: F64, point: F64) -> tuple[float, float]:
    """The next corner of the way around the base: the arm swings, it does not reach through itself."""
    bearing = math.atan2(here[1], here[0])
    swing = wrap(math.atan2(point[1], point[0]) - bearing)
    part = min(1.0, SWING_RAD / max(1e-9, abs(swing)))
    reach = math.hypot(here[0], here[1])
    reach += part * (math.hypot(point[0], point[1]) - reach)
    angle = bearing + part * swing
    return reach * math.cos(angle), reach * math.sin(angle)


def _close(one: F64, other: F64, tolerance_m: float) -> bool:
    return float(np.linalg.norm(one - other)) < tolerance_m


def _carried(body: Proprioception, goal_m: F64, yaw: float) -> float:
    """The hand turned with the arm as that swings from here to the goal."""
    here = body.target_position_m
    return yaw + wrap(math.atan2(goal_m[1], goal_m[0]) - math.atan2(here[1], here[0]))


def _along_x(body: Proprioception) -> float:
    """Fingers along world x, turned the way that the wrist bears."""
    return _bearable(0.0, body, body.target_position_m, math.pi)


def _bearable(yaw: float, body: Proprioception, point: F64, period: float) -> float:
    """The equal yaw nearest to the present one, unless the wrist would be wound up."""
    now = yaw_of(body.target_rotation)
    middle = HOME_YAW_RAD + math.atan2(point[1], point[0])
    found = nearest_turn(yaw, now, period)
    if abs(wrap(found - middle)) > WRIST_RAD:
        found = nearest_turn(yaw, middle, period)
    # Counted from the middle of the wrist's range, so that the turn never goes through its limit.
    return now + wrap(found - middle) - wrap(now - middle)
