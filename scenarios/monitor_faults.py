"""Which faults the monitor is tried with, at which magnitudes, and which of them nothing is chosen by."""

from __future__ import annotations

from skills.router import PolicyKind

FAULT_SEEDS = 1000
"""Seeds between one fault's scenes and the next one's."""

HELD_OUT = frozenset({"camera_turn", "frame_lag", "glare", "picture_noise", "object_moved", "gain"})
"""Names of faults that no window, channel or bound was ever chosen by."""
FOR_EYES = (
    *("black_frame", "frame_freeze", "occlusion:0.35", "blur:6", "camera_shift:0.06"),
    *("glare:0.35", "picture_noise:60", "camera_turn:0.08", "frame_lag:1.0", "policy_noise:0.4"),
)
"""For a policy that looks while it moves."""
FOR_ARMS = ("gripper_weak", "gain:0.5", "gain:1.7", "object_moved:0.08", "pose_bias:0.04")
"""For every policy."""
BENIGN: tuple[str, ...] = ()
"""What should not alarm much."""


def faults_for(kind: PolicyKind) -> tuple[str, ...]:
    """Faults that can make this kind of policy fail."""
    return FOR_ARMS if kind is PolicyKind.SPECIALIST else (*FOR_ARMS, *FOR_EYES)


def name_of(fault: str) -> str:
    """A fault's name without its magnitude."""
    return fault.split(":", maxsplit=1)[0]
