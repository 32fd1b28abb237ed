"""Pictures with labels, to train perception: `python -m sim.labelled data/perception --count 12000`.

Privileged: labels come from the simulator. Objects stand, lie, and end up in the fixtures as they really
do, because they are dropped there and the physics settles them.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet as p
from numpy.typing import NDArray
from rich.progress import track

from sim import cameras
from sim.arm import FINGER_STROKE_M
from sim.arms import ARMS
from sim.bodies import base_offset_m
from sim.demos.chain import draw_variation
from sim.scene import (
    AREA_X_M,
    AREA_Y_M,
    BUTTON_M,
    CABINET_M,
    SLOTS,
    PlacedDrawer,
    PlacedLamp,
    PlacedObject,
    PlacedPlace,
    PlacedScene,
)
from sim.truth import read_truth
from sim.world import World
from vla_low_level.geometry import BUTTON_TOP_M, DRAWER_TRAVEL_M, OBJECTS, PLACES
from vla_low_level.nouns import Category, Colour, Place
from vla_low_level.rotations import rotation_matrix, tool_down

SHARD = 200
PER_WORLD = 10
SETTLE_STEPS = 110
POOL = {Category.PLATE: 2, Category.SPOON: 3, Category.BOTTLE: 3, Category.CUP: 4, Category.CUBE: 4}
MAX_OBJECTS = 12
HOME_OF = {
    Category.PLATE: Place.DISH_RACK,
    Category.CUP: Place.SINK,
    Category.SPOON: Place.UTENSIL_HOLDER,
    Category.BOTTLE: Place.BIN,
    Category.CUBE: Place.TRAY,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture.

    Attributes:
        rgb: uint8 [H, W, 3].
        height_mm: int16 [H, W], height of the seen point above the table, mm.
        pose: float64 [4, 4], camera to world.
        objects: float32 [12, 8], rows of category, colour, x, y, z of the base (m), yaw (rad), fallen,
            visible pixels; category -1 where there is none.
        places: float32 [5, 2], x and y of each fixture, NaN where it is missing.
        furniture: float32 [2, 4], middle of the drawer's handle (x, y, z, m) and how far it is out as a share
            of its travel; top of the lamp's button and 1 when it shines. NaN where there is none.
    """

    rgb: NDArray[np.uint8]
    height_mm: NDArray[np.int16]
    pose: NDArray[np.float64]
    objects: NDArray[np.float32]
    places: NDArray[np.float32]
    furniture: NDArray[np.float32]


class LabelledWorld:
    """A world whose objects are thrown about anew for every picture."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._world = World(_pool(rng))
        self._home = self._world.embodiment.home_rad
        self._kinematics = self._world.embodiment.kinematics()

    def close(self) -> None:
        """Free the physics server."""
        self._world.close()

    def sample(self) -> Sample:
        """Throw, settle, pose the arm, take the picture and read the labels."""
        rng, world = self._rng, self._world
        chosen = self._throw()
        if world.drawer:
            world.drawer.put(float(rng.choice([0.0, 1.0, rng.uniform()])) * DRAWER_TRAVEL_M)
        if world.lamp:
            world.lamp.put(lit=bool(rng.random() < 0.5))
        self._pose_arm(self._home, 1.0)
        for _ in range(SETTLE_STEPS):
            p.stepSimulation(physicsClientId=world.client)
        held = self._arm_and_held(chosen)
        truth = {o.id: o for o in read_truth(world).objects if o.id in chosen and o.id != held}
        pose = cameras.look_at(cameras.OVERHEAD_EYE, cameras.OVERHEAD_TARGET)
        pose[:3, :3] = rotation_matrix(rng.normal(0, math.radians(0.4), 3)) @ pose[:3, :3]
        pose[:3, 3] += rng.normal(0, 0.004, 3)
        angle, up = rng.uniform(-math.pi, math.pi), rng.uniform(0.9, 2.2)
        light = (math.cos(angle), math.sin(angle), up)
        image = cameras.render(world.client, cameras.OVERHEAD, pose, light)
        visible = self._visible(pose)
        rows = np.full((MAX_OBJECTS, 8), -1, np.float32)
        for row, item in zip(rows, truth.values(), strict=False):
            row[:] = (
                list(Category).index(item.category),
                list(Colour).index(item.colour),
                *item.position_m,
                item.yaw_rad,
                item.fallen,
                0 if item.on_floor else visible.get(world.objects[item.id], 0),
            )
        places = np.full((len(Place), 2), np.nan, np.float32)
        for fixture in world.placed.places:
            places[list(Place).index(fixture.place)] = fixture.position_m
        return Sample(image.rgb, cameras.height_mm(image), pose, rows, places, self._furniture())

    def _furniture(self) -> NDArray[np.float32]:
        rows, world = np.full((2, 4), np.nan, np.float32), self._world
        if world.drawer and world.placed.drawer:
            x, y, z = world.placed.drawer.handle_m
            out = world.drawer.state[0]
            rows[0] = x - out, y, z, out / DRAWER_TRAVEL_M
        if world.lamp and world.placed.lamp:
            rows[1] = *world.placed.lamp.position_m, BUTTON_TOP_M, world.lamp.lit
        return rows

    def _throw(self) -> set[str]:
        """Choose objects and drop each somewhere; the others are far away."""
        rng, world = self._rng, self._world
        ids = list(world.objects)
        count = int(rng.integers(1, 10))
        chosen = [ids[int(k)] for k in rng.permutation(len(ids))[:count]]
        away = float(rng.choice([0.1, 0.35, 0.8]))
        taken: list[tuple[float, float, float]] = []
        for k, item_id in enumerate(ids):
            item = world.placed.objects[k]
            if item_id in chosen:
                self._drop(item, taken, away)
            else:
                self._teleport(item, (3.0 + k, 3.0, 1.0), 0.0, tipped=False)
        return set(chosen)

    def _drop(self, item: PlacedObject, taken: list[tuple[float, float, float]], away: float) -> None:
        """On the free table, or with chance `away` into a fixture; seldom tipped over."""
        rng = self._rng
        tipped = item.category in (Category.CUP, Category.BOTTLE) and rng.random() < 0.12
        yaw = float(rng.uniform(-math.pi, math.pi))
        fixtures = self._world.placed.places
        if fixtures and rng.random() < away:
            mine = [f for f in fixtures if f.place is HOME_OF[item.category]]
            pool = mine if mine and rng.random() < 0.6 else list(fixtures)
            fixture = pool[int(rng.integers(len(pool)))]
            half = PLACES[fixture.place].half_extent_m
            x = fixture.position_m[0] + rng.uniform(-0.8, 0.8) * half[0]
            y = fixture.position_m[1] + rng.uniform(-0.8, 0.8) * half[1]
            if fixture.place is Place.UTENSIL_HOLDER and item.category is Category.SPOON:
                yaw = math.pi / 2 + float(rng.normal(0, 0.15))
            level = 0.012 + 0.05 * sum(math.dist((x, y), t[:2]) < 0.08 for t in taken)
        else:
            x, y, level = self._free_spot(item, taken)
        taken.append((float(x), float(y), OBJECTS[item.category].footprint_radius_m))
        self._teleport(item, (float(x), float(y), level), yaw, tipped=tipped)

    def _free_spot(
        self, item: PlacedObject, taken: list[tuple[float, float, float]]
    ) -> tuple[float, float, float]:
        """On the bare table; sometimes on what stands there already, which may carry it or not."""
        rng, radius = self._rng, OBJECTS[item.category].footprint_radius_m
        if taken and item.category in (Category.CUBE, Category.CUP) and rng.random() < 0.15:
            x, y, _ = taken[int(rng.integers(len(taken)))]
            return x, y, 0.05
        x = y = 0.0
        for _ in range(30):
            x = float(rng.uniform(AREA_X_M[0] - 0.03, AREA_X_M[1] + 0.03))
            y = float(rng.uniform(AREA_Y_M[0] - 0.04, AREA_Y_M[1] + 0.04))
            if all(math.dist((x, y), t[:2]) > 0.7 * (radius + t[2]) + 0.012 for t in taken):
                break
        return x, y, 0.001

    def _teleport(
        self, item: PlacedObject, base: tuple[float, float, float], yaw: float, *, tipped: bool
    ) -> None:
        size = OBJECTS[item.category]
        lift = size.footprint_radius_m + 0.002 if tipped else base_offset_m(item.category)
        turn = p.getQuaternionFromEuler([0, math.pi / 2 if tipped else 0, yaw])
        body, client = self._world.objects[item.id], self._world.client
        centre = (base[0], base[1], base[2] + lift)
        p.resetBasePositionAndOrientation(body, centre, turn, physicsClientId=client)
        p.resetBaseVelocity(body, [0, 0, 0], [0, 0, 0], physicsClientId=client)

    def _arm_and_held(self, chosen: set[str]) -> str | None:
        """Home, the retreat pose, or hovering over the table, then perhaps with an object in the hand."""
        rng = self._rng
        kind = rng.random()
        if kind < 0.35:
            self._pose_arm(self._home, float(rng.choice([0.0, 1.0])))
            return None
        hovering = kind > 0.82
        middle = (0.48, 0.0, 0.34) if hovering else (0.30, 0.0, 0.41)
        spread = (0.17, 0.38, 0.06) if hovering else (0.02, 0.03, 0.04)
        tool = np.array([m + rng.uniform(-s, s) for m, s in zip(middle, spread, strict=True)])
        joints = self._reach(tool, -math.pi / 2 + float(rng.uniform(-1.2, 1.2)))
        self._pose_arm(joints, 0.5 if hovering else float(rng.choice([0.0, 1.0])))
        if not hovering or rng.random() < 0.4:
            return None
        held = sorted(chosen)[0]
        item = next(o for o in self._world.placed.objects if o.id == held)
        base = (float(tool[0]), float(tool[1]), float(tool[2]) - OBJECTS[item.category].grasp_height_m)
        self._teleport(item, base, float(rng.uniform(-math.pi, math.pi)), tipped=False)
        return held

    def _reach(self, tool: NDArray[np.float64], yaw: float) -> NDArray[np.float64]:
        joints = self._home.copy()
        start, _, _ = self._kinematics.forward(joints)
        for k in range(1, 31):
            part = min(1.0, k / 25)
            turned = tool_down(-math.pi / 2 + part * (yaw + math.pi / 2))
            goal = start + (tool - start) * part
            joints = joints + self._kinematics.step_towards(joints, goal, turned, self._home)
        return joints

    def _pose_arm(self, joints: NDArray[np.float64], opening: float) -> None:
        for joint, angle in zip(self._world.arm.joints, joints, strict=True):
            p.resetJointState(self._world.arm.body, joint, angle, physicsClientId=self._world.client)
        for joint in self._world.arm.fingers:
            p.resetJointState(
                self._world.arm.body, joint, opening * FINGER_STROKE_M, physicsClientId=self._world.client
            )

    def _visible(self, pose: NDArray[np.float64]) -> dict[int, int]:
        """Pixels of each body that the camera sees."""
        mask = cameras.segment(self._world.client, cameras.OVERHEAD, pose)
        bodies, counts = np.unique(mask[mask >= 0] & ((1 << 24) - 1), return_counts=True)
        return dict(zip(bodies.tolist(), counts.tolist(), strict=True))


def _pool(rng: np.random.Generator) -> PlacedScene:
    """Every kind of object in random colours, and fixtures near their slots, some of them missing."""
    objects: list[PlacedObject] = []
    for category, count in POOL.items():
        for k in range(count):
            colour = list(Colour)[int(rng.integers(len(Colour)))]
            where = (3.0 + len(objects), 3.0, 1.0)
            item_id = f"{category.value}_{k}"
            objects.append(
                PlacedObject(id=item_id, category=category, colour=colour, position_m=where, yaw_rad=0.0)
            )
    places = []
    for place in Place:
        if rng.random() < 0.06:
            continue
        x, y = (float(c + rng.uniform(-0.03, 0.03)) for c in SLOTS[place])
        places.append(PlacedPlace(place=place, position_m=(x, y)))
    x, y = (float(c + rng.uniform(-0.02, 0.02)) for c in CABINET_M)
    u, v = (float(c + rng.uniform(-0.02, 0.02)) for c in BUTTON_M)
    furnished = rng.random() < 0.6
    return PlacedScene(
        seed=0,
        arm=str(rng.choice(list(ARMS), p=[0.5, 0.25, 0.25])),
        objects=tuple(objects),
        places=tuple(places),
        light=(0.3, 0.2, 1.5),
        drawer=PlacedDrawer(position_m=(x, y), opening_m=0.0) if furnished else None,
        lamp=PlacedLamp(position_m=(u, v), lit=False) if furnished else None,
        variation=draw_variation(rng),
    )


def record(folder: Path, count: int, seed: int) -> None:
    """Write shards of `SHARD` samples; a shard that is already there is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "intrinsics.json").write_text(json.dumps(cameras.OVERHEAD.intrinsics.tolist()))
    for shard in track(range((count + SHARD - 1) // SHARD), description="rendering"):
        target = folder / f"{seed:08d}-{shard:05d}.npz"
        if target.exists():
            continue
        samples: list[Sample] = []
        for block in range(SHARD // PER_WORLD):
            world = LabelledWorld(np.random.default_rng([seed, shard, block]))
            samples += [world.sample() for _ in range(PER_WORLD)]
            world.close()
        partial = target.with_suffix(".part")
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                rgb=np.stack([s.rgb for s in samples]),
                height_mm=np.stack([s.height_mm for s in samples]),
                pose=np.stack([s.pose for s in samples]),
                objects=np.stack([s.objects for s in samples]),
                places=np.stack([s.places for s in samples]),
                furniture=np.stack([s.furniture for s in samples]),
            )
        partial.replace(target)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0, help="training seeds are below 1000000")
    args = parser.parse_args()
    record(args.folder, args.count, args.seed)


if __name__ == "__main__":
    main()
