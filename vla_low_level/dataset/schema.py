"""What a frame of a demonstration holds, as LeRobotDataset v3.0 describes it.

Tables are read and written with pyarrow, which comes with the extra `train`.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from vla_low_level.action import SHOWN_ROWS
from vla_low_level.state import STATE_NAMES

VERSION = "v3.0"
FPS = 10
EMBODIMENTS = ("panda", "kuka_iiwa", "xarm6")
TABLE, WRIST = "observation.images.table", "observation.images.wrist"
STATE, ACTION, CAMERA = "observation.state", "action", "observation.camera.table"
AHEAD = "action.ahead"
TARGET, TARGET_YAW = "target.position", "target.yaw"
TABLE_UV, WRIST_UV = "target.table", "target.wrist"
EMBODIMENT, DONE, FOLLOWED = "embodiment", "done", "followed"

ACTION_NAMES = ("dx", "dy", "dz", "drx", "dry", "drz", "gripper")
IMAGE_SHAPES = {TABLE: (128, 192, 3), WRIST: (96, 96, 3)}
VECTORS: dict[str, tuple[str, ...]] = {
    # Commanded tool pose, lag and fingers; `vla_low_level.state`.
    STATE: STATE_NAMES,
    # What the teacher does here: deltas of the commanded pose, m and rad in the world, and the gripper.
    ACTION: ACTION_NAMES,
    # What the teacher would do from here, row by row, whatever was done then.
    AHEAD: tuple(f"{name}_{k}" for k in range(SHOWN_ROWS) for name in ACTION_NAMES),
    # Focal lengths and centre, px, then camera-to-world, rows of [3, 4], m.
    CAMERA: ("fx", "fy", "cx", "cy", *(f"pose_{k}" for k in range(12))),
    # Where the subgoal ends: tool centre point, world, m; and twice its finger axis' angle.
    TARGET: ("x", "y", "z"),
    TARGET_YAW: ("cos_2yaw", "sin_2yaw"),
    # The same point in the pictures, px; outside of them when it is not in view.
    TABLE_UV: ("u", "v"),
    WRIST_UV: ("u", "v"),
}
FLAGS = {
    EMBODIMENT: "index into EMBODIMENTS",
    DONE: "the subgoal is reached: stay",
    FOLLOWED: "the row executed next was the action; 0 where noise or another policy drove instead",
}
INDICES = ("frame_index", "episode_index", "index", "task_index")


def features() -> dict[str, Any]:
    """`features` of `meta/info.json`."""
    found: dict[str, Any] = {
        name: {"dtype": "image", "shape": list(shape), "names": ["height", "width", "channels"]}
        for name, shape in IMAGE_SHAPES.items()
    }
    found |= {
        name: {"dtype": "float32", "shape": [len(axes)], "names": list(axes)}
        for name, axes in VECTORS.items()
    }
    found |= {name: {"dtype": "int64", "shape": [1], "names": [told]} for name, told in FLAGS.items()}
    found["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
    found |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in INDICES}
    return found


def table_schema() -> pa.Schema:
    """Columns of the data files, in order."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [pa.field(name, image) for name in IMAGE_SHAPES]
    fields += [pa.field(name, pa.list_(pa.float32(), len(axes))) for name, axes in VECTORS.items()]
    fields += [pa.field(name, pa.int64()) for name in FLAGS]
    fields += [pa.field("timestamp", pa.float32())]
    fields += [pa.field(name, pa.int64()) for name in INDICES]
    return pa.schema(fields)
