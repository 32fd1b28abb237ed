"""Examples of what the server says, for its OpenAPI document; a test holds them against the models."""

from __future__ import annotations

from typing import Any, Final

COMMAND: Final[dict[str, Any]] = {
    "id": "c-0123456789abcdef",
    "instruction": "put the red cup in the sink",
    "state": "succeeded",
    "terminal": True,
    "created_at": "2026-11-26T09:00:00Z",
    "started_at": "2026-11-26T09:00:00Z",
    "ended_at": "2026-11-26T09:00:24Z",
    "queue_position": None,
    "question": None,
    "amendments": [],
    "resumes": None,
    "run": "20261126-090000-put-the-red-cup-in-the-sink-0123",
    "result": {"outcome": "succeeded", "message": "done", "steps_done": 2, "chunks": 31, "wall_s": 24.1},
}
COMMANDS: Final[dict[str, Any]] = {"commands": [COMMAND]}
ROBOT: Final[dict[str, Any]] = {
    "state": "ready",
    "latched": False,
    "latch_reason": "",
    "why": "",
    "command": None,
    "queue": 0,
    "arm": "panda",
    "scene": "table",
    "cameras": ["front", "overhead", "wrist", "table"],
    "time_s": 120.5,
    "stopped_s": None,
    "stop_travel_m": 0.0,
    "joint_position_rad": [0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785],
    "ee_position_m": [0.307, 0.0, 0.485],
    "gripper_opening": 1.0,
    "stop_url": "http://127.0.0.1:8421/v1/robot/stop",
    "version": "0.1.0",
}
SCENE: Final[dict[str, Any]] = {
    "seen_at": "2026-11-26T09:00:02Z",
    "objects": [
        {
            "id": "red_cup_1",
            "category": "cup",
            "colour": "red",
            "position_m": [0.42, -0.15, 0.0],
            "yaw_rad": None,
            "place": None,
            "on": None,
            "confidence": 0.99,
        }
    ],
    "places": [{"place": "sink", "centre_m": [0.45, 0.3, 0.0], "half_extent_m": [0.12, 0.1], "yaw_rad": 0.0}],
    "drawer": None,
    "lamp": None,
    "held": None,
}
RUN: Final[dict[str, Any]] = {
    "name": "20261126-090000-put-the-red-cup-in-the-sink-0123",
    "command": "put the red cup in the sink",
    "outcome": "succeeded",
    "code": "",
    "started_at": "2026-11-26T09:00:00Z",
    "duration_s": 24.1,
    "chunks": 31,
    "scene": "table",
    "arm": "panda",
    "seed": 0,
    "planner": "embedded",
    "result": {"outcome": "succeeded", "message": "done", "steps_done": 2, "chunks": 31, "wall_s": 24.1},
    "lost": 0,
    "trace_id": "0123456789abcdef0123456789abcdef",
}
RUNS: Final[dict[str, Any]] = {
    "runs": [{key: value for key, value in RUN.items() if key not in ("result", "lost", "trace_id")}]
}
REPLAY: Final[dict[str, Any]] = {
    "id": "r-0123456789abcdef",
    "run": "20261126-090000-put-the-red-cup-in-the-sink-0123",
    "level": "physics",
    "state": "same",
    "report": "61 of 61 chunks are the same",
}
ERROR: Final[dict[str, Any]] = {
    "error": {"code": "QUEUE_FULL", "message": "32 commands wait already", "fix": "wait, or cancel some"}
}
