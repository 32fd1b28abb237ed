"""What people say and what must come of it: lines that a person wrote, and the scenes that they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from skills.scene import PlaceRegion, Scene, SceneObject, SeenDrawer, SeenLamp
from vla_low_level.nouns import Category, Colour, Place

CALIBRATION = Path(__file__).parent / "calibration"
SILENT = ("ask", "refuse", "nothing", "still")
_LINE = re.compile(r"@(?P<scene>\w+) (?P<said>.+?)(?: >> (?P<correction>.+?))? => (?P<wanted>.+)")
_OF = re.compile(
    r"(?P<how>\d+ of|tower of|colour groups|kind groups) \((?P<who>[^)]*)\)(?: in (?P<place>.+))?"
)
_SIMPLE = re.compile(r"(?P<who>.+?) (?P<how>in|on|at|before) (?P<what>.+)|(?P<one>.+) (?P<state>\w+)")
_REGIONS = {
    Place.SINK: (0.445, -0.40),
    Place.TRAY: (0.205, -0.42),
    Place.DISH_RACK: (0.455, 0.385),
    Place.BIN: (0.180, 0.420),
    Place.UTENSIL_HOLDER: (0.712, 0.0),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that must be so at the end.

    Attributes:
        how: `is`, `before`, `tower of`, `colour groups`, `kind groups`, or a number with ` of`.
        who: Ids of objects, `drawer` or `lamp`.
        what: The status that is wanted: a fixture, `on ID`, `at SIDE`, `held`, `open`, ...
    """

    how: str
    who: tuple[str, ...]
    what: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One instruction, and every way to be right about it.

    Attributes:
        family: What kind of thing is said.
        scene: Name of its scene.
        said: The instruction.
        correction: What a person says while it is being done; empty for nothing.
        silent: Ways to be right without a motion: `ask`, `refuse`, `nothing`, `still`.
        ends: Alternative sets of facts that a plan may end with.
    """

    family: str
    scene: str
    said: str
    correction: str = ""
    silent: frozenset[str] = frozenset()
    ends: tuple[tuple[Fact, ...], ...] = field(default=())


def read_cases(file: Path) -> Iterator[Case]:
    """Every case of a file, in order. Raises ValueError on a line that is none."""
    families = yaml.safe_load(file.read_text(encoding="utf-8"))
    for family, lines in families.items():
        for line in lines.strip().splitlines():
            found = _LINE.fullmatch(line.strip())
            if found is None:
                raise ValueError(f"{file.name}, {family}: {line!r} is no case")
            ways = [way.strip() for way in found["wanted"].split(" | ")]
            ends = tuple(tuple(map(_fact, way.split("; "))) for way in ways if way not in SILENT)
            silent = frozenset(way for way in ways if way in SILENT)
            yield Case(family, found["scene"], found["said"], found["correction"] or "", silent, ends)


def _fact(text: str) -> Fact:
    if found := _OF.fullmatch(text):
        who = tuple(_id(name) for name in found["who"].split(", "))
        return Fact(found["how"], who, (found["place"] or "").replace(" ", "_"))
    found = _SIMPLE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no fact")
    if found["one"]:
        return Fact("is", (_id(found["one"]),), found["state"])
    if found["how"] == "before":
        return Fact("before", (_id(found["who"]), _id(found["what"])))
    what = {"in": found["what"].replace(" ", "_"), "on": f"on {_id(found['what'])}"}
    return Fact("is", (_id(found["who"]),), what.get(found["how"], f"at {found['what']}"))


def _id(name: str) -> str:
    """`red cup` is `red_cup_1`, `red cup 2` is `red_cup_2`."""
    if name in ("drawer", "lamp"):
        return name
    words = name.split()
    return "_".join(words if words[-1].isdigit() else [*words, "1"])


@cache
def scene(name: str) -> Scene:
    """A scene of `scenes.yaml`. Raises KeyError."""
    spec = yaml.safe_load((CALIBRATION / "scenes.yaml").read_text(encoding="utf-8"))[name]
    count: dict[str, int] = {}
    objects = []
    for line in spec["objects"].strip().splitlines():
        colour, category, x, y, *where = line.split()
        looks = f"{colour}_{category}"
        count[looks] = count.get(looks, 0) + 1
        preposition, target = where or ("", "")
        objects.append(
            SceneObject(
                id=f"{looks}_{count[looks]}",
                category=Category(category),
                colour=Colour(colour),
                position_m=(float(x), float(y), 0.045 if preposition == "on" else 0.0),
                place=Place(target) if preposition == "in" else None,
                on=target if preposition == "on" else None,
            )
        )
    regions = tuple(
        PlaceRegion(place=place, centre_m=(x, y, 0.0), half_extent_m=(0.1, 0.09))
        for place, (x, y) in _REGIONS.items()
    )
    drawer = spec.get("drawer") and SeenDrawer(
        handle_m=(0.62, 0.2, 0.05), opening_m=0.1 if spec["drawer"] == "open" else 0.0
    )
    lamp = spec.get("lamp") and SeenLamp(button_m=(0.655, -0.215, 0.02), lit=spec["lamp"] == "on")
    return Scene(objects=tuple(objects), places=regions, drawer=drawer, lamp=lamp)
