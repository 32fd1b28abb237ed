"""Where the target was taken to be before, and what that changes."""

import torch

from vla_low_level.vla.choice import Choice
from vla_low_level.vla.memory import RECALL, recalled, remember

ROWS, COLUMNS = 32, 48
CELLS = torch.tensor([[5 * COLUMNS + 7, 20 * COLUMNS + 30]])
FIRST = torch.tensor([[9.0, 0.0]])


def looked(times: int, scores: torch.Tensor, remembered: torch.Tensor | None = None) -> torch.Tensor:
    there = torch.zeros(1, ROWS, COLUMNS) if remembered is None else remembered
    for _ in range(times):
        there = remember(there, CELLS, scores)
    return there


def test_what_every_look_has_chosen_gains_the_most_and_never_more_than_that() -> None:
    gains = [recalled(looked(times, FIRST), CELLS)[0] for times in (1, 3, 30)]
    assert gains[0][0] < gains[1][0] < gains[2][0] <= RECALL
    assert all(gain[1] < 0.01 for gain in gains)
    beside = recalled(looked(30, FIRST), CELLS + 1)[0, 0]
    far = recalled(looked(30, FIRST), CELLS + 10)[0, 0]
    assert 0.6 * RECALL < beside < gains[2][0]
    assert far < 0.01


def test_it_comes_round_when_another_place_is_seen_to_be_right() -> None:
    wrong = looked(5, FIRST)
    later = recalled(looked(12, -FIRST, wrong), CELLS)[0]
    assert later[1] > later[0]


def test_a_place_that_is_hidden_is_still_chosen() -> None:
    """Two things, alike to the network; the one that was chosen before is then not to be seen at all."""
    torch.manual_seed(0)
    choice = Choice(32, 384).eval()
    heat = torch.zeros(1, ROWS, COLUMNS)
    heat[0, 20, 30] = 2.0
    picture, words = torch.full((1, 3, 4 * ROWS, 4 * COLUMNS), 0.5), torch.randn(1, 384)
    with torch.inference_mode():
        assert choice(picture, heat, words).best() == CELLS[0, 1]
        assert choice(picture, heat, words, looked(30, FIRST)).best() == CELLS[0, 0]
