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
from vla_low_level.vla.pointing import FADE_M, GAIN, pointed_out
from vla_low_level.vla.policy import VLAPolicy
from vla_low_level.vla.vision import unproject

CELLS = (32, 48)
CAMERA = torch.tensor([190.0, 190, 96.5, 63.5, 1, 0, 0, 0.45, 0, -1, 0, 0, 0, 0, -1, 1.1])


def test_what_is_within_gains_all_and_what_is_further_than_it_fades_nothing() -> None:
    point_m, about_m = torch.tensor([0.5, 0.1, 0.03]), 0.06
    gain = pointed_out(point_m, about_m, CAMERA, CELLS)
    for row in range(0, CELLS[0], 3):
        for column in range(0, CELLS[1], 3):
            uv = torch.tensor([[4 * column + 2.0, 4 * row + 2.0]])
            (there,) = unproject(uv, point_m[2:], CAMERA[None])
            off_m = math.dist(there[:2], point_m[:2])
            if off_m < about_m:
                assert gain[row, column] == pytest.approx(GAIN)
            elif off_m > about_m + FADE_M:
                assert gain[row, column] == 0.0
            else:
                assert 0.0 <= gain[row, column] < GAIN
    assert (gain == GAIN).sum() > 4


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
        assert all(about.off_m(aim_m) < 0.05 for aim_m in aims_m)
