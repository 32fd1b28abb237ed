"""From one RGB-D frame to objects and fixtures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from agent.perception.network import COLOUR, STATE, STRIDE, XYZ, YAW2, YAW4
from agent.perception.pretrained import SHIPPED, load_pretrained
from agent.perception.rays import grid, ground_points, network_input
from agent.perception.refine import refine
from vla_low_level.geometry import DRAWER_TRAVEL_M, OBJECTS
from vla_low_level.nouns import Category, Colour, Furniture, Place
from vla_low_level.observation import CameraImage

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

# Between the weakest object (0.69) and the strongest ghost (0.44) of the validation seeds.
OBJECT_THRESHOLD = 0.5
PLACE_THRESHOLD = 0.3
# Two centres nearer than this are one thing seen twice: nothing here is smaller.
SAME_M = 0.022
SAME_LEVEL_M = 0.04
RAY_PARTS = (0.5, 0.8)
# The bare table below this height is left out of the cloud.
TABLE_M = 0.008


@dataclass(frozen=True, slots=True)
class DetectedObject:
    """One object. Fields as in `skills.scene.SceneObject`."""

    category: Category
    colour: Colour
    position_m: tuple[float, float, float]
    yaw_rad: float | None
    confidence: float


@dataclass(frozen=True, slots=True)
class DetectedPlace:
    """One fixture: the centre of its floor, world, m."""

    place: Place
    centre_m: tuple[float, float]
    confidence: float


@dataclass(frozen=True, slots=True)
class DetectedFurniture:
    """A drawer or a lamp.

    Attributes:
        kind: Which.
        point_m: Middle of the drawer's handle, or top of the lamp's button, world.
        state: How far the drawer is out, m; above 0.5 when the lamp shines.
    """

    kind: Furniture
    point_m: tuple[float, float, float]
    state: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Detections:
    """Everything in a frame, most confident first."""

    objects: tuple[DetectedObject, ...]
    places: tuple[DetectedPlace, ...]
    furniture: tuple[DetectedFurniture, ...] = ()


class Detector:
    """The trained network and the reading of its maps. Stateless; one thread."""

    def __init__(self, network: torch.nn.Module, version: str) -> None:
        self._network = network
        self.version = version

    @classmethod
    def from_pretrained(cls, folder: Path = SHIPPED) -> Detector:
        """Load weights from a folder. Raises `TandemError` (`WEIGHTS_MISSING`, `WEIGHTS_DAMAGED`)."""
        network, digest = load_pretrained(folder)
        return cls(network, f"detector-{digest[:12]}")

    def detect(self, image: CameraImage) -> Detections:
        """Find objects and fixtures in a frame of the overhead camera; positions in the world frame."""
        height, width = image.depth_m.shape
        ground = ground_points(image.intrinsics, image.pose, *grid(height, width, STRIDE))
        cloud = image.points()
        data = torch.from_numpy(network_input(image.rgb, cloud[:, :, 2].astype(np.float32), ground))[None]
        with torch.inference_mode():
            logits, said = self._network(data.contiguous(memory_format=torch.channels_last))
            heat = torch.sigmoid(logits)
            peaks = heat * (heat == functional.max_pool2d(heat, 3, 1, 1))
        view = _View(ground, image.pose[:3, 3], cloud[cloud[:, :, 2] > TABLE_M])
        return _read(peaks[0].numpy(), said[0].numpy(), view)


@dataclass(frozen=True, slots=True)
class _View:
    """The geometry of a frame.

    Attributes:
        ground: float64 [H / 4, W / 4, 2], where each cell's ray meets the table, m.
        eye: float64 [3], the camera's position, m.
        cloud: float64 [n, 3], what the pixels show that is higher than the table, m.
    """

    ground: F64
    eye: F64
    cloud: F64


def _read(peaks: F32, said: F32, view: _View) -> Detections:
    """Turn peaks into things, the most confident first; a weaker peak on the same spot is dropped."""
    objects: list[DetectedObject] = []
    places: dict[Place, DetectedPlace] = {}
    furniture: dict[Furniture, DetectedFurniture] = {}
    classes, rows, columns = np.nonzero(peaks > min(OBJECT_THRESHOLD, PLACE_THRESHOLD))
    for index in np.argsort(-peaks[classes, rows, columns], kind="stable"):
        kind, row, column = int(classes[index]), int(rows[index]), int(columns[index])
        confidence = float(peaks[kind, row, column])
        position = _position(said, view.ground, row, column)
        if kind >= len(Category) + len(Place):
            which = list(Furniture)[kind - len(Category) - len(Place)]
            if confidence > PLACE_THRESHOLD:
                state = _state(which, said, row, column)
                furniture.setdefault(which, DetectedFurniture(which, position, state, confidence))
        elif kind >= len(Category):
            place = list(Place)[kind - len(Category)]
            if confidence > PLACE_THRESHOLD:
                places.setdefault(place, DetectedPlace(place, position[:2], confidence))
        elif confidence > OBJECT_THRESHOLD:
            found = _object(list(Category)[kind], said[:, row, column], position, confidence)
            found = _refined(found, said, view, view.ground[row, column])
            if not any(_same(found, other) for other in objects):
                objects.append(found)
    ordered = tuple(places[place] for place in Place if place in places)
    return Detections(tuple(objects), ordered, tuple(furniture.values()))


def _same(one: DetectedObject, other: DetectedObject) -> bool:
    """Whether two detections are one thing seen twice."""
    apart = math.dist(one.position_m[:2], other.position_m[:2])
    return apart < SAME_M and abs(one.position_m[2] - other.position_m[2]) < SAME_LEVEL_M


def _refined(found: DetectedObject, said: F32, view: _View, ground: F64) -> DetectedObject:
    """The same object with its pose read off the depth image, where that shows it.

    Where it shows no such thing at the position that was regressed, it is looked for where the peak's
    own ray says that it stands: the ray passes through the object's middle, or higher up where something
    hides its lower part. The colour is then read where the object really is, not where the peak was.
    """
    height = OBJECTS[found.category].height_m
    guesses = [found.position_m]
    for part in RAY_PARTS:
        x, y = ground + (view.eye[:2] - ground) * ((found.position_m[2] + part * height) / view.eye[2])
        guesses.append((float(x), float(y), found.position_m[2]))
    for guess in guesses:
        pose = refine(found.category, guess, view.cloud)
        if pose is not None:
            middle = np.array(pose.position_m) + np.array([0.0, 0.0, height / 2])
            row, column = _cell_of(middle, view)
            colour = list(Colour)[int(np.argmax(said[COLOUR, row, column]))]
            return replace(found, colour=colour, position_m=pose.position_m, yaw_rad=pose.yaw_rad)
    return found


def _cell_of(point: F64, view: _View) -> tuple[int, int]:
    """The cell (row, column) whose ray passes nearest to a point [3]."""
    ground = view.eye[:2] + (point[:2] - view.eye[:2]) * view.eye[2] / (view.eye[2] - point[2])
    nearest = int(np.argmin(((view.ground - ground) ** 2).sum(axis=-1)))
    columns = int(view.ground.shape[1])
    return nearest // columns, nearest % columns


def _position(said: F32, ground: F64, row: int, column: int) -> tuple[float, float, float]:
    """Base centre: each of the nine cells around the peak points at it, and the median is taken."""
    rows = slice(max(0, row - 1), row + 2)
    columns = slice(max(0, column - 1), column + 2)
    offsets = said[XYZ, rows, columns]
    x = np.median(offsets[0] + ground[rows, columns, 0])
    y = np.median(offsets[1] + ground[rows, columns, 1])
    return float(x), float(y), float(np.median(offsets[2]))


def _state(kind: Furniture, said: F32, row: int, column: int) -> float:
    """Median of what the nine cells around the peak say; a drawer's in m."""
    around = said[STATE, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    value = float(np.median(around))
    return value * DRAWER_TRAVEL_M if kind is Furniture.DRAWER else value


def _object(
    category: Category, properties: F32, position: tuple[float, float, float], confidence: float
) -> DetectedObject:
    colour = list(Colour)[int(np.argmax(properties[COLOUR]))]
    symmetry = OBJECTS[category].symmetry
    yaw = None
    if symmetry:
        cosine, sine = properties[YAW2 if symmetry == 2 else YAW4]
        yaw = math.atan2(float(sine), float(cosine)) / symmetry
    return DetectedObject(category, colour, position, yaw, confidence)
