"""Who runs a skill, and why."""

import pytest

from skills.library import OpenDrawer, Pick
from skills.router import PolicyKind, Router
from skills.scene import Scene, SceneObject
from traces.errors import TandemError
from vla_low_level.nouns import Category, Colour
from vla_low_level.policies.specialist import SpecialistPolicy

SPECIALIST, GENERALIST = SpecialistPolicy(), SpecialistPolicy()
BOTH = {PolicyKind.SPECIALIST: SPECIALIST, PolicyKind.GENERALIST: GENERALIST}


def scene(*y: float) -> Scene:
    cubes = (
        SceneObject(id=f"red_{k}", category=Category.CUBE, colour=Colour.RED, position_m=(0.4, at, 0.0))
        for k, at in enumerate(y)
    )
    return Scene(objects=tuple(cubes), places=())


def test_the_generalist_goes_first_and_the_specialist_after_two_failures() -> None:
    kinds = [Router(BOTH).route(Pick(object="red_0"), scene(0.0), attempt).kind for attempt in (1, 2, 3)]
    assert kinds == [PolicyKind.GENERALIST, PolicyKind.GENERALIST, PolicyKind.SPECIALIST]


def test_what_words_cannot_tell_apart_goes_to_the_specialist() -> None:
    for attempt in (1, 3):
        assert Router(BOTH).route(Pick(object="red_0"), scene(0.0, 0.02), attempt).policy is SPECIALIST


def test_only_the_generalist_opens_drawers() -> None:
    for attempt in (1, 3):
        assert Router(BOTH).route(OpenDrawer(), scene(), attempt).policy is GENERALIST
    with pytest.raises(TandemError, match="the specialist cannot open drawer"):
        Router(BOTH, PolicyKind.SPECIALIST).route(OpenDrawer(), scene())


def test_a_kind_that_is_not_there_cannot_be_asked_for() -> None:
    with pytest.raises(TandemError, match="no generalist policy is installed"):
        Router({PolicyKind.SPECIALIST: SPECIALIST}, PolicyKind.GENERALIST)
