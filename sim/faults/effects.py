"""Which effect each of the body's faults has."""

from __future__ import annotations

from types import MappingProxyType

from sim.faults import chunks, joints, limbs, looks, pictures, things
from sim.faults.effect import Effect

EFFECTS: MappingProxyType[str, type[Effect]] = MappingProxyType(
    {
        "occlusion": pictures.Occlusion,
        "black_frame": pictures.Black,
        "glare": pictures.Glare,
        "picture_noise": pictures.Noise,
        "sensor_noise": pictures.Noise,
        "blur": pictures.Blur,
        "dark": pictures.Brightness,
        "brightness": pictures.Brightness,
        "colour_cast": pictures.ColourCast,
        "white_balance": pictures.ColourCast,
        "light_turn": pictures.LightTurn,
        "camera_shift": pictures.Shift,
        "camera_turn": pictures.Turn,
        "camera_jitter": pictures.Jitter,
        "frame_freeze": pictures.Freeze,
        "frame_lag": pictures.Lag,
        "encoder_bias": joints.EncoderBias,
        "tool_offset": joints.ToolOffset,
        "false_grip": limbs.FalseGrip,
        "gripper_weak": limbs.WeakGrip,
        "grip_delay": limbs.GripDelay,
        "stuck_fingers": limbs.StuckFingers,
        "slip": limbs.Slip,
        "weak_motors": limbs.WeakMotors,
        "motor_delay": limbs.MotorDelay,
        "sticky_joints": limbs.StickyJoints,
        "start_pose": limbs.StartPose,
        "push": limbs.Push,
        "wrong_rate": chunks.WrongRate,
        "dropped_tail": chunks.DroppedTail,
        "stale_anchor": chunks.StaleAnchor,
        "gain": chunks.Gain,
        "wrong_units": chunks.WrongUnits,
        "wrong_frame": chunks.WrongFrame,
        "object_moved": things.Moved,
        "object_pulled": things.Pulled,
        "slippery": things.Friction,
        "resized": looks.Resized,
        "tablecloth": looks.Tablecloth,
        "friction_shift": things.Friction,
        "heavy": things.Mass,
        "mass_shift": things.Mass,
        "distractor": things.Distractor,
        "obstacle": things.Obstacle,
    }
)
