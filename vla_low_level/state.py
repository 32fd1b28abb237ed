"""The arm's own state as the vector that a policy is trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vla_low_level.observation import Proprioception

STATE_NAMES = (
    *("x", "y", "z"),
    *(f"rotation_{k}" for k in range(6)),
    *("lag_x", "lag_y", "lag_z"),
    "gripper_opening",
    "gripper_command",
    "contact",
)
STATE_DIM = len(STATE_NAMES)
CONTACT_SCALE_N = 50.0


def state_vector(body: Proprioception) -> NDArray[np.float32]:
    """Float32 [15]: commanded tool position, m; first two columns of the commanded rotation (Zhou et al.
    2019); measured minus commanded position, m; finger opening and command, 0..1; contact force / 50 N.
    """  # noqa: D205 (one sentence)
    return np.concatenate(
        [
            body.target_position_m,
            body.target_rotation[:, :2].T.ravel(),
            body.ee_position_m - body.target_position_m,
            [body.gripper_opening, body.last_command[6], min(2.0, body.contact_force_n / CONTACT_SCALE_N)],
        ]
    ).astype(np.float32)
