"""The tabletop as a Gymnasium environment, `tandem/Tabletop-v0`: the same world, body and guard."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sim.cameras import OVERHEAD, WRIST
from sim.layout import resolve
from sim.scene import SceneSpec
from sim.truth import read_truth
from sim.world import World
from vla_low_level.action import ACTION_DIM
from vla_low_level.body import Body
from vla_low_level.guard import ChunkHeader
from vla_low_level.limits import PANDA

Observed = dict[str, Any]

RATE_HZ = 20.0
EXPIRY_S = 1.0
# Per row, at the guard's speed limits.
MOVE_M = PANDA.ee_speed_m_s / RATE_HZ
TURN_RAD = PANDA.ee_turn_rad_s / RATE_HZ
CAMERAS = ("overhead", "wrist")


class TabletopEnv(gymnasium.Env[Observed, NDArray[np.float32]]):
    """Clear the table: every object must end up in some fixture.

    Action: one row of an `ActionChunk` at 20 Hz, float32 [7] = [dx, dy, dz (m), drx, dry, drz (rad),
    gripper 0..1]. It passes the guard like any chunk, so a bad action is refused and never raises.

    Observation: `overhead` uint8 [240, 320, 3], `wrist` uint8 [96, 96, 3], `joint_position_rad` [7],
    `joint_velocity_rad_s` [7], `ee_position_m` [3], `ee_rotation` [3, 3], `gripper_opening` [1].

    Reward: 1 in the step after which no object is left outside the fixtures, which ends the episode; else
    0. An episode is cut off when an object falls off the table or the guard latches a stop.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": int(RATE_HZ)}  # noqa: RUF012  as the base declares it

    def __init__(self, scene: str = "table", render_mode: str | None = None) -> None:
        """Args: `scene` names a built-in scene or a YAML file. Raises `TandemError` when it is neither."""
        self.render_mode = render_mode
        self._spec = SceneSpec.load(scene)
        self._world: World | None = None
        self._body: Body | None = None
        self._chunks = 0
        high = np.array([MOVE_M] * 3 + [TURN_RAD] * 3 + [1.0], dtype=np.float32)
        low = -high
        low[6] = 0.0
        self.action_space = spaces.Box(low, high, (ACTION_DIM,), np.float32)
        self.observation_space = spaces.Dict(
            {
                "overhead": _picture(OVERHEAD.height_px, OVERHEAD.width_px),
                "wrist": _picture(WRIST.height_px, WRIST.width_px),
                "joint_position_rad": _numbers(4.0, 7),
                "joint_velocity_rad_s": _numbers(50.0, 7),
                "ee_position_m": _numbers(2.0, 3),
                "ee_rotation": _numbers(1.01, 3, 3),
                "gripper_opening": spaces.Box(0.0, 1.0, (1,), np.float32),
            }
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Draw a new scene; the same seed gives the same one."""
        super().reset(seed=seed, options=options)
        self.close()
        self._world = World(resolve(self._spec, int(self.np_random.integers(2**31))))
        arm = self._world.embodiment
        self._body = Body(self._world, arm.kinematics(), arm.limits, arm.home_rad)
        self._chunks = 0
        return self._observe(self._body), {"scene_seed": self._world.placed.seed}

    def step(self, action: NDArray[np.float32]) -> tuple[Observed, float, bool, bool, dict[str, Any]]:
        """Carry out one row. Raises `ResetNeeded` before the first `reset`."""
        world, body = self._running()
        header = ChunkHeader(RATE_HZ, world.time_s + EXPIRY_S, self._chunks)
        self._chunks += 1
        report = body.execute(np.asarray(action, dtype=np.float32).reshape(1, -1), header)
        objects = read_truth(world).objects
        cleared = all(item.place is not None for item in objects)
        lost = any(item.on_floor for item in objects)
        told = {"verdict": report.verdict.decision.value, "limit": report.verdict.limit}
        return self._observe(body), float(cleared), cleared, lost or report.latched, told

    def render(self) -> NDArray[np.uint8] | None:
        """The spectator's view, uint8 [320, 480, 3]; None without a render mode."""
        if self.render_mode != "rgb_array":
            return None
        world, _ = self._running()
        return world.capture(("front",))["front"].rgb.copy()

    def close(self) -> None:
        """Free the physics server. Idempotent."""
        if self._world is not None:
            self._world.close()
        self._world = self._body = None

    def _running(self) -> tuple[World, Body]:
        if self._world is None or self._body is None:
            raise gymnasium.error.ResetNeeded("call reset before step or render")
        return self._world, self._body

    def _observe(self, body: Body) -> Observed:
        seen = body.observe(CAMERAS)
        felt = seen.proprioception
        return {
            **{name: seen.images[name].rgb.copy() for name in CAMERAS},
            "joint_position_rad": felt.joint_position_rad.astype(np.float32),
            "joint_velocity_rad_s": felt.joint_velocity_rad_s.astype(np.float32),
            "ee_position_m": felt.ee_position_m.astype(np.float32),
            "ee_rotation": felt.ee_rotation.astype(np.float32),
            "gripper_opening": np.array([felt.gripper_opening], dtype=np.float32),
        }


def _picture(height_px: int, width_px: int) -> spaces.Box:
    return spaces.Box(0, 255, (height_px, width_px, 3), np.uint8)


def _numbers(bound: float, *shape: int) -> spaces.Box:
    return spaces.Box(-bound, bound, shape, np.float32)
