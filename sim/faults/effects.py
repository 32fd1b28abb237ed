"""Which effect each of the body's faults has."""

from __future__ import annotations

from types import MappingProxyType

from sim.faults import limbs, pictures, things
from sim.faults.effect import Effect

EFFECTS: MappingProxyType[str, type[Effect]] = MappingProxyType(
    {
        "occlusion": pictures.Occlusion,
        "black_frame": pictures.Black,
        "glare": pictures.Glare,
        "picture_noise": pictures.Noise,
        "blur": pictures.Blur,
        "camera_shift": pictures.Shift,
        "camera_turn": pictures.Turn,
        "frame_freeze": pictures.Freeze,
        "frame_lag": pictures.Lag,
        "gripper_weak": limbs.WeakGrip,
        "gain": limbs.Gain,
        "object_moved": things.Moved,
    }
)
