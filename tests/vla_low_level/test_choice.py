"""The heat-map proposes places; a close look at each tells which one is meant."""

import torch

from vla_low_level.vla.choice import PLACES, Choice, propose
from vla_low_level.vla.train_choice import MARGIN_PX, ChoiceRecipe, Seen, accuracy, train_choice

SIDE, TEXT = 32, 24
COLOURS = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.1, 0.9], [0.1, 0.8, 0.1], [0.9, 0.9, 0.9]])


def things(n: int, seed: int) -> Seen:
    """Squares of several colours, one of them named; the heat-map is as hot at any of them."""
    draw = torch.Generator().manual_seed(seed)
    colour = torch.stack([torch.randperm(len(COLOURS), generator=draw) for _ in range(n)])
    wanted = torch.randint(len(COLOURS), (n,), generator=draw)
    whole = SIDE + 2 * MARGIN_PX
    pieces = torch.full((n, PLACES, 3, whole, whole), 120, dtype=torch.uint8)
    for k in range(len(COLOURS)):
        pieces[:, k, :, 15:25, 15:25] = (255 * COLOURS[colour[:, k]]).byte()[:, :, None, None]
    places = 150 * torch.rand(n, PLACES, 2, generator=draw)
    target = places[torch.arange(n), (colour == wanted[:, None]).int().argmax(1)]
    hot = torch.full((n, PLACES), -1.4)
    hot[:, len(COLOURS) :] = -9.0
    sentences = 6.0 * torch.eye(len(COLOURS), TEXT)
    return Seen(pieces, places, hot, target, torch.ones(n, dtype=torch.bool), wanted, sentences)


def test_peaks_are_proposed_hottest_first_and_apart() -> None:
    heat = torch.zeros(1, 32, 48)
    for height, row, column in ((9.0, 4, 6), (8.5, 4, 7), (7.0, 20, 30), (5.0, 28, 10)):
        heat[0, row, column] = height
    cells, places, hot = propose(heat)
    assert places[0, :3].tolist() == [[26.0, 18.0], [122.0, 82.0], [42.0, 114.0]]
    assert cells[0, 0] == 4 * 48 + 6
    assert (hot[0, :-1] >= hot[0, 1:]).all()


def test_it_learns_to_tell_apart_what_the_heat_map_does_not() -> None:
    torch.manual_seed(0)
    choice = Choice(SIDE, TEXT)
    list(train_choice(choice, things(400, 1), ChoiceRecipe(steps=150, batch=16)))
    right, hottest, n = accuracy(choice, things(200, 2))
    assert right > 0.95 * n
    assert hottest < 0.5 * n


def test_the_same_seed_gives_the_same_weights() -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(0)
        choice = Choice(SIDE, TEXT)
        list(train_choice(choice, things(40, 1), ChoiceRecipe(steps=3, batch=8)))
        weights.append(torch.cat([p.detach().flatten() for p in choice.parameters()]))
    assert torch.equal(*weights)
