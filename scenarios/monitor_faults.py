"""Which faults the monitor is tried with, at which magnitudes, and which of them nothing is chosen by."""

from __future__ import annotations

from sim.faults.catalogue import CATALOGUE
from sim.faults.kinds import FailureClass
from skills.router import PolicyKind

FAULT_SEEDS = 1000
"""Seeds between one fault's scenes and the next one's."""

HELD_OUT = frozenset(
    {"object_moved", "gain", "yaw_bias", "tool_offset", "stale_anchor", "resized"}
    | {"camera_turn", "frame_lag", "glare", "picture_noise", "tablecloth"}
)
"""Names of faults that no window, channel or bound was ever chosen by; six of them are for every policy."""
BEFOREHAND = frozenset({"start_pose", "resized"})
"""Names of those that are there before anybody looks."""
FOR_ALL = (
    *("gripper_weak", "gain:0.5", "gain:1.7", "object_moved:0.08", "pose_bias:0.04"),
    *("slip", "stuck_fingers", "grip_delay", "object_pulled", "push", "obstacle"),
    *("wrong_rate", "dropped_tail", "wrong_frame", "weak_motors", "motor_delay", "sticky_joints"),
    *("encoder_bias", "yaw_bias", "slippery", "heavy", "stall"),
    *("tool_offset", "stale_anchor", "resized:0.85"),
)
"""For every policy."""
FOR_EYES = (
    *("black_frame", "frame_freeze", "occlusion:0.35", "blur:6", "camera_shift:0.06"),
    *("glare:0.35", "picture_noise:60", "camera_turn:0.08", "frame_lag:1.0", "policy_noise:0.4"),
    *("wrong_statistics", "mode_flip", "loop", "dark", "colour_cast", "tablecloth"),
)
"""For a policy that looks while it moves."""
BENIGN = tuple(name for name, kind in CATALOGUE.items() if kind.failure is FailureClass.BENIGN)
"""What the robot should cope with: it should not alarm much."""
FAULTS = (*FOR_ALL, *FOR_EYES, *BENIGN)


def faults_for(kind: PolicyKind) -> tuple[str, ...]:
    """What is tried with this kind of policy."""
    return FAULTS if kind is PolicyKind.GENERALIST else (*FOR_ALL, *BENIGN)


def name_of(fault: str) -> str:
    """A fault's name without its magnitude."""
    return fault.split(":", maxsplit=1)[0]


def is_benign(fault: str) -> bool:
    """Whether the robot should cope with it."""
    return name_of(fault) in BENIGN
