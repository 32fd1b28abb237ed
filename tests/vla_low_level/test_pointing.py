"""Where somebody points: what that comes to in the picture, and that the policy looks there."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from sim.demos.episode import Stage
from sim.demos.judge import look
from sim.layout import resolve
from sim.scene import SceneSpec
from vla_low_level.nouns import Category
from vla_low_level.policy import Instruction, Whereabouts
from vla_low_level.vla.pointing import FADE_M, GAIN, SLACK_M, Pointed, gained, kept_within, nowhere
from vla_low_level.vla.policy import VLAPolicy
from vla_low_level.vla.vision import unproject

CELLS = (32, 48)
CAMERA = torch.tensor([[190.0, 190, 96.5, 63.5, 1, 0, 0, 0.45, 0, -1, 0, 0, 0, 0, -1, 1.1]])
POINT_M, ABOUT_M = torch.tensor([0.5, 0.1, 0.03]), 0.06


def pointed(about_m: float = ABOUT_M, told: float = 1.0) -> Pointed:
    return Pointed(POINT_M[None], torch.tensor([about_m]), torch.tensor([told]))


def test_what_is_within_gains_all_and_what_is_further_than_it_fades_nothing() -> None:
    (gain,) = gained(pointed(), CAMERA, CELLS)
    for row in range(0, CELLS[0], 3):
        for column in range(0, CELLS[1], 3):
            uv = torch.tensor([[4 * column + 2.0, 4 * row + 2.0]])
            (there,) = unproject(uv, POINT_M[2:], CAMERA)
            off_m = math.dist(there[:2], POINT_M[:2])
            if off_m < ABOUT_M:
                assert gain[row, column] == pytest.approx(GAIN)
            elif off_m > ABOUT_M + FADE_M:
                assert gain[row, column] == 0.0
            else:
                assert 0.0 <= gain[row, column] < GAIN
    assert (gain == GAIN).sum() > 4


@pytest.mark.parametrize("off_m", [0.0, 0.03, 0.059, 0.08, 0.3])
def test_an_aim_within_is_left_and_one_outside_is_brought_to_the_edge(off_m: float) -> None:
    aim = POINT_M + off_m * torch.tensor([0.6, -0.8, 0.0])
    (kept,) = kept_within(aim[None], pointed())
    assert math.dist(kept, POINT_M) == pytest.approx(min(off_m, ABOUT_M + SLACK_M), abs=1e-5)
    assert torch.cross(kept - POINT_M, aim - POINT_M, dim=0).norm() < 1e-5


def test_where_nobody_points_nothing_is_changed() -> None:
    aim = torch.tensor([[0.1, 0.7, 0.2]])
    assert torch.equal(kept_within(aim, nowhere(1)), aim)
    assert not gained(nowhere(1), CAMERA, CELLS).any()


def test_the_policy_aims_at_what_is_pointed_at_of_several_alike() -> None:
    spec = SceneSpec.load("one_of_each")
    cups = [item for item in spec.objects if item.category is Category.CUP]
    stage = Stage(resolve(spec.model_copy(update={"objects": (*spec.objects, *cups, *cups)}), 4))
    try:
        seen = stage.body.observe(("table", "wrist"))
        alike = [o for o in look(stage.world).scene.objects if o.category is Category.CUP]
    finally:
        stage.close()
    policy, words = VLAPolicy.from_pretrained(), Instruction("pick up the red cup")
    assert len(alike) == 3
    for cup in alike:
        policy.reset()
        about = Whereabouts(np.array(cup.position_m[:2]), 0.1, np.array(cup.centre_m), 0.03)
        aims_m = [policy.act(seen, replace(words, about=about)).features["target_m"] for _ in range(3)]
        assert all(about.off_m(aim_m) < about.about_m + SLACK_M + 1e-4 for aim_m in aims_m)
