"""Faults of cameras and of pictures on their way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sim.faults.effect import F64, Effect
from sim.faults.spec import Fault
from sim.world import World
from vla_low_level.observation import CameraImage
from vla_low_level.rotations import rotation_matrix

# Rounding of the clock.
SLACK_S = 1e-6
DARK = 12


class _OfCamera(Effect):
    """An effect on pictures of the cameras that it is aimed at."""

    def picture(self, view: str, image: CameraImage, time_s: float) -> CameraImage:
        """Spoilt, if it comes from there."""
        return self.spoil(view, image, time_s) if self.aims_at(view) else image

    def spoil(self, view: str, image: CameraImage, time_s: float) -> CameraImage:  # noqa: ARG002
        """What arrives instead."""
        return image

    def at(self, view: str, time_s: float) -> np.random.Generator:
        """Random numbers of one picture."""
        return self.fault.stream(self.seed, round(time_s * 1e4), *view.encode())


class Occlusion(_OfCamera):
    """Something stands close before the lens."""

    def spoil(self, view: str, image: CameraImage, time_s: float) -> CameraImage:  # noqa: ARG002
        """A dark rectangle of the picture's own shape, where it was first."""
        hidden = _patch(image, self.size, self.fault.stream(self.seed, *view.encode()))
        rgb, depth = image.rgb.copy(), image.depth_m.copy()
        rgb[hidden], depth[hidden] = DARK, 0.05
        return replace(image, rgb=rgb, depth_m=depth)


class Black(_OfCamera):
    """No light."""

    def spoil(self, view: str, image: CameraImage, time_s: float) -> CameraImage:  # noqa: ARG002
        """Black, without depth."""
        return replace(image, rgb=np.zeros_like(image.rgb), depth_m=np.zeros_like(image.depth_m))


class Glare(_OfCamera):
    """A lamp shines into the lens."""

    def spoil(self, view: str, image: CameraImage, time_s: float) -> CameraImage:  # noqa: ARG002
        """White in the middle of a spot, less towards its edge; depth is lost where it is white."""
        height, width = image.depth_m.shape
        u, v = self.fault.stream(self.seed, *view.encode()).uniform(0.25, 0.75, 2) * (width, height)
        y, x = np.mgrid[:height, :width]
        radius = np.sqrt(self.size * height * width / np.pi)
        shine = np.clip(1.5 * (1.0 - np.hypot(x - u, y - v) / (1.5 * radius)), 0.0, 1.0)[:, :, None]
        rgb = np.rint(image.rgb * (1.0 - shine) + 255.0 * shine).astype(np.uint8)
        depth = np.where(shine[:, :, 0] > 0.95, np.float32(0.0), image.depth_m)
        return replace(image, rgb=rgb, depth_m=depth)


class Noise(_OfCamera):
    """A bad sensor."""

    def spoil(self, view: str, image: CameraImage, time_s: float) -> CameraImage:
        """Gaussian noise, new for every picture."""
        rng = self.at(view, time_s)
        noisy = image.rgb + rng.normal(0.0, self.size, image.rgb.shape)
        depth = image.depth_m + rng.normal(0.0, self.size / 1000.0, image.depth_m.shape)
        rgb = np.rint(noisy.clip(0, 255)).astype(np.uint8)
        return replace(image, rgb=rgb, depth_m=depth.astype(np.float32))


class Blur(_OfCamera):
    """Out of focus."""

    def spoil(self, view: str, image: CameraImage, time_s: float) -> CameraImage:  # noqa: ARG002
        """Gaussian blur of the colours; depth is another sensor's."""
        soft = Image.fromarray(image.rgb).filter(ImageFilter.GaussianBlur(self.size))
        return replace(image, rgb=np.asarray(soft).copy())


class Brightness(_OfCamera):
    """Another light."""

    def spoil(self, view: str, image: CameraImage, time_s: float) -> CameraImage:  # noqa: ARG002
        """All colours times the same."""
        return replace(image, rgb=np.rint((image.rgb * self.size).clip(0, 255)).astype(np.uint8))


class ColourCast(_OfCamera):
    """Another colour of the light, or a white balance that has drifted."""

    def spoil(self, view: str, image: CameraImage, time_s: float) -> CameraImage:  # noqa: ARG002
        """One channel more, another less, the same two in every picture."""
        gain = self.fault.stream(self.seed).permutation([1.0 + self.size, 1.0, 1.0 - self.size])
        return replace(image, rgb=np.rint((image.rgb * gain).clip(0, 255)).astype(np.uint8))


class LightTurn(Effect):
    """The sun has moved."""

    def begin(self) -> None:
        """Turn the light about the vertical."""
        turned = rotation_matrix(np.array([0.0, 0.0, self.size])) @ np.array(self.world.placed.light)
        self.world.light = (float(turned[0]), float(turned[1]), float(turned[2]))

    def end(self) -> None:
        """Back."""
        self.world.light = self.world.placed.light


def _stands(fault: Fault, effect: Effect, view: str) -> bool:
    """Whether a view is of the camera that was moved: by itself the one that stands."""
    return effect.aims_at(view) if fault.aim else view != "wrist" and effect.aims_at(view)


class Jitter(Effect):
    """A camera that trembles."""

    def eye(self, view: str, pose: F64) -> F64:
        """A little beside its place, elsewhere in every picture."""
        if not _stands(self.fault, self, view):
            return pose
        shaken = pose.copy()
        now = round(self.world.time_s * 1e4)
        shaken[:3, 3] += self.fault.stream(self.seed, now).normal(0.0, self.size, 3)
        return shaken


class Shift(Effect):
    """A camera that was pushed: what it sees moves, what is known of it does not."""

    def begin(self) -> None:
        """Draw a direction: level for the camera that stands, across the view for the one in the hand."""
        angle = self.rng.uniform(-np.pi, np.pi)
        self._way = self.size * np.array([np.cos(angle), np.sin(angle), 0.0])

    def eye(self, view: str, pose: F64) -> F64:
        """Beside its place."""
        if not _stands(self.fault, self, view):
            return pose
        moved = pose.copy()
        moved[:3, 3] += pose[:3, :3] @ self._way if view == "wrist" else self._way
        return moved


class Turn(Effect):
    """A camera that was turned. By itself only the one that stands."""

    def begin(self) -> None:
        """Draw an axis."""
        axis = self.rng.standard_normal(3)
        self._turn = rotation_matrix(self.size * axis / np.linalg.norm(axis))

    def eye(self, view: str, pose: F64) -> F64:
        """Turned in its place."""
        if not _stands(self.fault, self, view):
            return pose
        turned = pose.copy()
        turned[:3, :3] = pose[:3, :3] @ self._turn
        return turned


Pixels = tuple[NDArray[np.uint8], NDArray[np.float32]]


class Freeze(_OfCamera):
    """A camera that repeats itself. The pose told with the picture goes on being the present one."""

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        super().__init__(fault, world, seed)
        self._last: dict[str, Pixels] = {}
        self._frozen = False

    def begin(self) -> None:
        """From now on nothing new comes."""
        self._frozen = True

    def watch(self, view: str, image: CameraImage, time_s: float) -> None:  # noqa: ARG002
        """Keep the latest; of a camera that had taken none, the first."""
        if self.aims_at(view) and (not self._frozen or view not in self._last):
            self._last[view] = image.rgb, image.depth_m

    def spoil(self, view: str, image: CameraImage, time_s: float) -> CameraImage:  # noqa: ARG002
        """The last picture before it began, again and again."""
        rgb, depth = self._last[view]
        return replace(image, rgb=rgb, depth_m=depth)


class Lag(_OfCamera):
    """Pictures that come late."""

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        super().__init__(fault, world, seed)
        self._taken: dict[str, list[tuple[float, Pixels]]] = {}

    def watch(self, view: str, image: CameraImage, time_s: float) -> None:
        """Keep all that may still be shown."""
        if not self.aims_at(view):
            return
        taken = self._taken.setdefault(view, [])
        taken.append((time_s, (image.rgb, image.depth_m)))
        while len(taken) > 1 and taken[1][0] <= time_s - self.size + SLACK_S:
            del taken[0]

    def spoil(self, view: str, image: CameraImage, time_s: float) -> CameraImage:  # noqa: ARG002
        """The newest that is old enough, or the oldest there is."""
        rgb, depth = self._taken[view][0][1]
        return replace(image, rgb=rgb, depth_m=depth)


def _patch(image: CameraImage, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A rectangle of the picture's shape that covers so much of it, anywhere inside."""
    height, width = image.depth_m.shape
    h, w = round(height * share**0.5), round(width * share**0.5)
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    hidden = np.zeros((height, width), np.bool_)
    hidden[top : top + h, left : left + w] = True
    return hidden
