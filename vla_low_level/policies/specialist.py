"""The servo specialist: goes where perception says, in straight lines, in the same chunks a VLA emits.

It is the baseline that a generalist has to beat, and what runs until one is installed. It sees only
the perceived pose in its instruction and the arm's own state; it never looks at an image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_low_level.action import ActionChunk
from vla_low_level.observation import Observation
from vla_low_level.policies.waypoints import Cursor, Profile, Waypoint, advance
from vla_low_level.policy import (
    GraspTarget,
    Instruction,
    PolicyOutput,
    ReleaseTarget,
    RetreatTarget,
    Target,
)
from vla_low_level.rotations import rotation_matrix, rotation_vector, tool_down, wrap, yaw_of

F64 = NDArray[np.float64]

HORIZON = 8
RATE_HZ = 20.0
EXPIRY_S = 1.0
# Rows for the fingers to travel their full stroke and for the grip force to build up.
CLOSE_ROWS = 10
OPEN_ROWS = 8
# A commanded pose further than this from where the last chunk should have ended means it did not run.
CUT_SHORT_M = 0.01
RETREAT_XY_M = (0.30, 0.0)
# Far out an arm cannot rise all the way. Where it is above everything and rises no more, it is high enough.
ABOVE_ALL_M, STUCK_M = 0.16, 0.002
# Finger axis of the hand at home.
HOME_YAW_RAD = -math.pi / 2


@dataclass
class _Task:
    """The subgoal in progress."""

    target: Target
    waypoints: list[Waypoint]
    cursor: Cursor
    before: Cursor


class SpecialistPolicy:
    """Waypoints from a perceived target: rise, travel, descend, close or open, rise."""

    policy_id = "specialist-servo-1"
    cameras: tuple[str, ...] = ()
    replan_rows = HORIZON

    def __init__(
        self, profile: Profile | None = None, retreat_xy_m: tuple[float, float] = RETREAT_XY_M
    ) -> None:
        """`retreat_xy_m` is where the hand goes to be out of the cameras' way, world."""
        self._profile = profile or Profile()
        self._retreat_xy_m = retreat_xy_m
        self._task: _Task | None = None
        self._chunks = 0

    def reset(self) -> None:
        """Forget the subgoal, so that the next call starts from the arm's present pose."""
        self._task = None

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        """Choose the next chunk.

        Raises:
            ValueError: When the instruction has no perceived target; a specialist needs one.
        """
        if instruction.target is None:
            raise ValueError(f"no perceived target for: {instruction.text}")
        task = self._task
        if task is None or task.target is not instruction.target:
            task = self._task = _begin(observation, instruction.target, self._retreat_xy_m)
        _resume(task, observation)
        actions = self._roll(task, observation)
        chunk = ActionChunk(
            actions=actions,
            rate_hz=RATE_HZ,
            expires_s=observation.time_s + EXPIRY_S,
            chunk_id=self._chunks,
            policy_id=self.policy_id,
            observation_sequence=observation.sequence,
        )
        self._chunks += 1
        return PolicyOutput(chunk, task.cursor.index / len(task.waypoints))

    def _roll(self, task: _Task, observation: Observation) -> NDArray[np.float32]:
        """Advance the cursor over one horizon and write the deltas down."""
        rows = np.zeros((HORIZON, 7), dtype=np.float32)
        rotation = observation.proprioception.target_rotation
        task.before = task.cursor
        for row in rows:
            last = task.cursor
            task.cursor = advance(last, task.waypoints, self._profile, 1.0 / RATE_HZ)
            row[:3] = task.cursor.position_m - last.position_m
            turned = tool_down(task.cursor.yaw_rad)
            row[3:6] = _bounded(rotation_vector(turned @ rotation.T), self._profile.yaw_rate_rad_s / RATE_HZ)
            rotation = rotation_matrix(row[3:6].astype(np.float64)) @ rotation
            row[6] = task.waypoints[min(task.cursor.index, len(task.waypoints) - 1)].gripper
        return rows


def _bounded(vector: F64, limit: float) -> F64:
    """The vector, shortened to `limit` where it is longer."""
    length = float(np.linalg.norm(vector))
    return vector if length <= limit else vector * (limit / length)


def _begin(observation: Observation, target: Target, retreat_xy_m: tuple[float, float]) -> _Task:
    """Lay out the waypoints from where the arm is commanded to be now."""
    body = observation.proprioception
    here, yaw = body.target_position_m, yaw_of(body.target_rotation)
    gripper = float(body.last_command[6])
    waypoints = _waypoints(here, yaw, gripper, target, retreat_xy_m)
    start = Cursor(0, here.copy(), yaw)
    return _Task(target, waypoints, start, start)


def _as_high_as_it_gets(task: _Task, here: F64) -> bool:
    """Whether a retreat's first waypoint, straight up, is out of reach and the next may do."""
    stuck = float(np.linalg.norm(here - task.before.position_m)) < STUCK_M
    return (
        isinstance(task.target, RetreatTarget) and task.before.index == 0 and stuck and here[2] > ABOVE_ALL_M
    )


def _resume(task: _Task, observation: Observation) -> None:
    """Go on from where the arm is commanded to be; a chunk that was cut short is taken up again."""
    here = observation.proprioception.target_position_m
    planned = task.cursor
    if float(np.linalg.norm(here - planned.position_m)) > CUT_SHORT_M:
        planned = task.before
        if _as_high_as_it_gets(task, here):
            planned = Cursor(planned.index + 1, here, planned.yaw_rad)
    yaw = planned.yaw_rad + wrap(yaw_of(observation.proprioception.target_rotation) - planned.yaw_rad)
    task.cursor = Cursor(planned.index, here.copy(), yaw, planned.speed_m_s, planned.dwelt)


def _waypoints(
    here: F64, yaw: float, gripper: float, target: Target, retreat_xy_m: tuple[float, float]
) -> list[Waypoint]:
    """The corners of the path for each kind of target."""
    if isinstance(target, RetreatTarget):
        above = np.array([here[0], here[1], max(float(here[2]), target.height_m)])
        away = np.array([*retreat_xy_m, target.height_m])
        # Turned with the arm, so that the wrist stays as it is; held still in the world it might wind up.
        turned = yaw + math.atan2(away[1], away[0]) - math.atan2(float(here[1]), float(here[0]))
        fingers = gripper if target.opening is None else target.opening
        return [Waypoint(above, yaw, fingers), Waypoint(away, turned, fingers)]
    end_yaw = _end_yaw(here, yaw, target)
    up = np.array([here[0], here[1], max(float(here[2]), target.height_m)])
    over = np.array([target.position_m[0], target.position_m[1], target.height_m])
    down = np.asarray(target.position_m, dtype=np.float64)
    if isinstance(target, GraspTarget):
        return [
            Waypoint(up, yaw, target.opening),
            Waypoint(over, end_yaw, target.opening),
            Waypoint(down, end_yaw, target.opening, dwell_rows=2),
            Waypoint(down, end_yaw, 0.0, dwell_rows=CLOSE_ROWS),
            Waypoint(over, end_yaw, 0.0),
        ]
    if isinstance(target, ReleaseTarget):
        return [
            Waypoint(up, yaw, 0.0),
            Waypoint(over, end_yaw, 0.0),
            Waypoint(down, end_yaw, 0.0, dwell_rows=2),
            Waypoint(down, end_yaw, target.opening, dwell_rows=OPEN_ROWS),
            Waypoint(over, end_yaw, target.opening),
        ]
    raise TypeError(f"unknown target {type(target).__name__}")


def _end_yaw(here: F64, yaw: float, target: GraspTarget | ReleaseTarget) -> float:
    """The target's yaw, reached by turning the wrist the way that does not wind it up.

    What the wrist sees is the yaw less the bearing of the arm; both ends of the move are taken there.
    """
    bearing = math.atan2(float(here[1]), float(here[0]))
    goal_bearing = math.atan2(float(target.position_m[1]), float(target.position_m[0]))
    wrist = wrap(yaw - bearing - HOME_YAW_RAD)
    goal_wrist = wrap(target.yaw_rad - goal_bearing - HOME_YAW_RAD)
    return yaw + (goal_wrist - wrist) + (goal_bearing - bearing)


def preferred_yaw(yaw_rad: float, position_m: F64, home_yaw_rad: float) -> float:
    """Of the two equal grasps (fingers swapped), the one that keeps the wrist away from its limits.

    The last joint turns by (yaw - home yaw - bearing of the target seen from the base); keeping that
    within a quarter turn leaves every joint 7 angle within the limits for a 7-joint arm like the Panda.
    """
    bearing = math.atan2(float(position_m[1]), float(position_m[0]))
    middle = home_yaw_rad + bearing
    return yaw_rad + math.pi * round((middle - yaw_rad) / math.pi)
