"""How well perception sees: `python -m scenarios.eval_perception --count 500 --seed 2000000 --json`.

Fresh worlds that were never used to choose anything, seen through the detector's public interface and
compared with the simulator's truth. Three sets: default scenes, scenes whose objects were dropped into the
fixtures, as a cleared table looks, and kitchens with a drawer, a lamp and each of the arms.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from agent.perception.detector import DetectedObject, Detections, Detector
from agent.perception.pretrained import SHIPPED
from scenarios.statistics import quantile, wilson
from sim.arms import ARMS
from sim.layout import resolve
from sim.scene import PlacedObject, SceneSpec
from sim.truth import TrueObject, read_truth
from sim.world import World
from skills.scene import SeenDrawer
from vla_low_level.geometry import DRAWER_TRAVEL_M, OBJECTS, PLACES
from vla_low_level.nouns import Category, Furniture, Place

MATCH_M = 0.03
HOME_OF = {
    Category.PLATE: Place.DISH_RACK,
    Category.CUP: Place.SINK,
    Category.SPOON: Place.UTENSIL_HOLDER,
    Category.BOTTLE: Place.BIN,
    Category.CUBE: Place.TRAY,
}
DROP_M = 0.015
DROP_STEPS = 240
TRIES = 60


@dataclass
class Tally:
    """Counts and errors of one set of scenes.

    Attributes:
        true: Objects that were there.
        seen: Detections.
        matched: Detections of the right category and colour within `MATCH_M` of their object.
        wrong_scenes: Seeds of scenes with a miss or a ghost.
        error_mm: Horizontal position errors by category, mm.
        yaw_error_deg: Yaw errors by category, degrees.
        place_error_mm: Fixtures' position errors, mm.
        places_missed: Fixtures that were not seen.
        opening_error_mm: Of drawers, how far they are out.
        furniture: How many drawers and lamps there were.
        furniture_wrong: Drawers not seen, or open for closed, and lamps not seen, or on for off.
        detect_ms: Wall time of each detection, ms.
    """

    true: int = 0
    seen: int = 0
    matched: int = 0
    wrong_scenes: list[int] = field(default_factory=list)
    error_mm: dict[str, list[float]] = field(default_factory=dict)
    yaw_error_deg: dict[str, list[float]] = field(default_factory=dict)
    place_error_mm: list[float] = field(default_factory=list)
    places_missed: int = 0
    opening_error_mm: list[float] = field(default_factory=list)
    furniture: int = 0
    furniture_wrong: int = 0
    detect_ms: list[float] = field(default_factory=list)

    def add(self, seed: int, truth: Sequence[TrueObject], found: Detections) -> None:
        """Count one scene."""
        pairs = match(truth, found.objects)
        self.true += len(truth)
        self.seen += len(found.objects)
        self.matched += len(pairs)
        if not len(truth) == len(found.objects) == len(pairs):
            self.wrong_scenes.append(seed)
        for real, seen in pairs:
            error = 1000 * math.dist(real.position_m[:2], seen.position_m[:2])
            self.error_mm.setdefault(real.category.value, []).append(error)
            symmetry = OBJECTS[real.category].symmetry
            if symmetry and seen.yaw_rad is not None and not real.fallen:
                off = math.remainder(seen.yaw_rad - real.yaw_rad, 2 * math.pi / symmetry)
                self.yaw_error_deg.setdefault(real.category.value, []).append(abs(math.degrees(off)))

    def report(self) -> dict[str, object]:
        """Everything as plain data."""
        recall, precision = wilson(self.matched, self.true), wilson(self.matched, max(1, self.seen))
        return {
            "objects": self.true,
            "recall": str(recall),
            "precision": str(precision),
            "scenes_not_perfect": self.wrong_scenes,
            "position_error_mm": {k: _spread(v) for k, v in sorted(self.error_mm.items())},
            "yaw_error_deg": {k: _spread(v) for k, v in sorted(self.yaw_error_deg.items())},
            "place_error_mm": _spread(self.place_error_mm),
            "places_missed": self.places_missed,
            "furniture_wrong": f"{self.furniture_wrong} of {self.furniture}",
            "opening_error_mm": _spread(self.opening_error_mm),
            "detect_ms": _spread(self.detect_ms),
        }


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {
        "n": len(values),
        "median": round(quantile(values, 0.5), 2),
        "p95": round(quantile(values, 0.95), 2),
        "max": round(max(values), 2),
    }


def match(
    truth: Sequence[TrueObject], found: Sequence[DetectedObject]
) -> list[tuple[TrueObject, DetectedObject]]:
    """Nearest pairs of the same category and colour within `MATCH_M`, each thing at most once."""
    near = sorted(
        (math.dist(real.position_m[:2], seen.position_m[:2]), i, j)
        for i, real in enumerate(truth)
        for j, seen in enumerate(found)
        if (real.category, real.colour) == (seen.category, seen.colour)
    )
    pairs, used_true, used_seen = [], set[int](), set[int]()
    for distance, i, j in near:
        if distance <= MATCH_M and i not in used_true and j not in used_seen:
            used_true.add(i)
            used_seen.add(j)
            pairs.append((truth[i], found[j]))
    return pairs


def cleared(seed: int) -> World:
    """A default scene whose objects were dropped into their fixtures, and have settled."""
    rng = np.random.default_rng([seed, 0xC1EA2])
    placed = resolve(SceneSpec.load("table"), seed)
    spots = {fixture.place: fixture.position_m for fixture in placed.places}
    objects: list[PlacedObject] = []
    for item in placed.objects:
        place = HOME_OF[item.category]
        x, y, height = _spot(item, place, spots[place], objects, rng)
        yaw = math.pi / 2 if item.category is Category.SPOON else item.yaw_rad
        objects.append(item.model_copy(update={"position_m": (x, y, height), "yaw_rad": yaw}))
    world = World(placed.model_copy(update={"objects": tuple(objects)}))
    for _ in range(DROP_STEPS):
        world.step()
    return world


def _spot(
    item: PlacedObject,
    place: Place,
    centre_m: tuple[float, float],
    before: Sequence[PlacedObject],
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Where to let go: a free spot if one is found, else on top of what is there."""
    size, radius = PLACES[place], OBJECTS[item.category].footprint_radius_m
    if item.category is Category.SPOON:
        radius = 0.02
    room = [max(0.0, half - radius) for half in size.half_extent_m]
    spot = (0.0, 0.0, 0.0)
    for _ in range(TRIES):
        x, y = (centre_m[k] + float(rng.uniform(-room[k], room[k])) for k in (0, 1))
        under = [o for o in before if math.dist((x, y), o.position_m[:2]) < 2 * radius]
        top = max((o.position_m[2] + OBJECTS[o.category].height_m for o in under), default=size.floor_m)
        spot = (x, y, top + DROP_M)
        if not under:
            break
    return spot


def evaluate(detector: Detector, worlds: Iterator[tuple[int, World]], *, visible_only: bool) -> Tally:
    """Look once at every world, and close it. `visible_only` leaves out objects that lie under others."""
    tally = Tally()
    for seed, world in worlds:
        image = world.capture(("overhead",))["overhead"]
        began = time.perf_counter()
        found = detector.detect(image)
        tally.detect_ms.append(1000 * (time.perf_counter() - began))
        truth = [o for o in read_truth(world).objects if not o.on_floor]
        if visible_only:
            truth = [o for o in truth if not _covered(o, truth)]
        tally.add(seed, truth, found)
        _places(tally, world, found)
        _furniture(tally, world, found)
        world.close()
    return tally


def _covered(item: TrueObject, others: Sequence[TrueObject]) -> bool:
    """Whether something else stands on it: the camera sees little of it then."""
    radius = OBJECTS[item.category].footprint_radius_m
    return any(
        other.centre_m[2] > item.centre_m[2] + 0.012
        and math.dist(other.centre_m[:2], item.centre_m[:2]) < 0.6 * radius
        for other in others
    )


def _places(tally: Tally, world: World, found: Detections) -> None:
    seen = {place.place: place.centre_m for place in found.places}
    for fixture in world.placed.places:
        if fixture.place not in seen:
            tally.places_missed += 1
            continue
        tally.place_error_mm.append(1000 * math.dist(seen[fixture.place], fixture.position_m))


def _furniture(tally: Tally, world: World, found: Detections) -> None:
    seen = {item.kind: item.state for item in found.furniture}
    if world.drawer:
        opening, said = world.drawer.state[0], seen.get(Furniture.DRAWER, math.inf)
        stands, read = (SeenDrawer(handle_m=(0, 0, 0), opening_m=min(m, 0.5)).stands for m in (opening, said))
        tally.furniture, tally.furniture_wrong = tally.furniture + 1, tally.furniture_wrong + (stands != read)
        tally.opening_error_mm.append(1000 * abs(opening - said))
    if world.lamp:
        right = Furniture.LAMP in seen and (seen[Furniture.LAMP] > 0.5) == world.lamp.lit
        tally.furniture, tally.furniture_wrong = tally.furniture + 1, tally.furniture_wrong + (not right)


def kitchen(seed: int) -> World:
    """A kitchen with the drawer closed, open or between, the lamp on or off, and any arm."""
    rng = np.random.default_rng([seed, 0x1C4E])
    placed = resolve(SceneSpec.load("kitchen"), seed)
    world = World(placed.model_copy(update={"arm": str(rng.choice(list(ARMS)))}))
    if world.drawer and world.lamp:
        world.drawer.put(float(rng.choice([0.0, rng.uniform(), 1.0])) * DRAWER_TRAVEL_M)
        world.lamp.put(lit=bool(rng.random() < 0.5))
    return world


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=500, help="default scenes; the others: 0.4 times")
    parser.add_argument("--seed", type=int, default=2_000_000)
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="folder of the detector")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    args = parser.parse_args()
    torch.set_num_threads(1)
    detector = Detector.from_pretrained(args.weights)
    seeds = range(args.seed, args.seed + args.count)
    console = Console(stderr=True, quiet=args.json)
    spec = SceneSpec.load("table")
    default = evaluate(
        detector,
        ((s, World(resolve(spec, s))) for s in track(seeds, "default scenes", console=console)),
        visible_only=False,
    )
    fewer = seeds[: max(1, round(0.4 * args.count))]
    after = evaluate(
        detector,
        ((s, cleared(s)) for s in track(fewer, "cleared scenes", console=console)),
        visible_only=True,
    )
    kitchens = evaluate(
        detector,
        ((s, kitchen(s)) for s in track(fewer, "kitchens", console=console)),
        visible_only=False,
    )
    result = {
        "detector": detector.version,
        "first_seed": args.seed,
        "scenes": {"default": len(seeds), "cleared": len(fewer), "kitchens": len(fewer)},
        "default": default.report(),
        "cleared": after.report(),
        "kitchens": kitchens.report(),
    }
    Console().print_json(json.dumps(result))


if __name__ == "__main__":
    main()
