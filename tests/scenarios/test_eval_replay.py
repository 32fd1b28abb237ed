"""A changed weight has to be one that the module decides with."""

from __future__ import annotations

import pytest
import torch

from api.assemble import load_modules
from api.options import RunOptions
from scenarios.eval_replay import WEIGHT_FACTOR, _change_one, _inside


@pytest.mark.parametrize("module", ["perception", "planner"])
def test_one_weight_of_the_module_changes(module: str) -> None:
    modules = load_modules(RunOptions("", policy="specialist"))
    tensor = next(iter(_inside(modules, module).parameters())).data
    before = tensor.clone()
    _change_one(modules, module)
    (place,) = torch.nonzero(tensor != before)
    assert tensor[tuple(place)] / before[tuple(place)] == pytest.approx(WEIGHT_FACTOR)
