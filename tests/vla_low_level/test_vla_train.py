"""Training can be stopped anywhere, gives the same weights again, and learns."""

import pytest
import torch

from traces.errors import TandemError
from vla_low_level.dataset.read import read
from vla_low_level.vla.batches import Batches
from vla_low_level.vla.config import VLAConfig
from vla_low_level.vla.losses import losses
from vla_low_level.vla.pretrained import load_pretrained
from vla_low_level.vla.text import SentenceEncoder
from vla_low_level.vla.train import Recipe, Trainer, statistics, train

RECIPE = Recipe(steps=6, batch=8, validate_every=3, warm_up=2)
SHAPE = VLAConfig(condition=64, fine=16, middle=16, blocks=1)


@pytest.fixture(scope="module")
def batches(demos) -> Batches:
    torch.set_num_threads(1)
    return Batches.of(read(demos), SHAPE.horizon, SentenceEncoder())


@pytest.fixture(scope="module")
def trainer(demos, batches):
    config = statistics(SHAPE, read(demos).stats)

    def new(out, recipe=RECIPE) -> Trainer:
        made = Trainer(out, recipe, config)
        made.know_words(batches.text)
        return made

    return new


def run(new: Trainer, batches, until: int | None = None) -> list:
    steps = []
    for step in train(new, [(batches, 1.0)], lambda _: float(new.step), {}):
        steps.append(step)
        if step.step == until:
            break
    return steps


def test_an_interrupted_training_ends_with_the_same_weights(batches, trainer, tmp_path) -> None:
    run(trainer(tmp_path / "whole"), batches)
    run(trainer(tmp_path / "parts"), batches, until=3)
    again = trainer(tmp_path / "parts")
    assert again.resume()
    assert again.step == 3
    run(again, batches)
    whole, parts = (tmp_path / name / "model.safetensors" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()


def test_between_validations_little_is_lost(batches, trainer, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("vla_low_level.vla.train.SAVE_EVERY_S", 0.0)
    new, learn = trainer(tmp_path), Trainer.learn

    def interrupted(self, batch, progress):
        if self.step == 5:
            raise KeyboardInterrupt
        return learn(self, batch, progress)

    monkeypatch.setattr(Trainer, "learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(new, batches)
    again = trainer(tmp_path)
    assert again.resume()
    assert again.step == 5


def test_another_recipe_does_not_take_up_a_checkpoint(batches, trainer, tmp_path) -> None:
    run(trainer(tmp_path), batches, until=3)
    with pytest.raises(TandemError, match="another recipe"):
        trainer(tmp_path, RECIPE.model_copy(update={"batch": 4})).resume()


def test_the_best_weights_are_kept_not_the_last(batches, trainer, tmp_path) -> None:
    scores = iter([2.0, 1.0])
    new = trainer(tmp_path)
    steps = list(train(new, [(batches, 1.0)], lambda _: next(scores), {}))
    assert [(s.step, s.best) for s in steps if s.score is not None] == [(3, True), (6, False)]
    network, _ = load_pretrained(tmp_path)
    assert network.config.condition == 64
    assert '"step": 3' in (tmp_path / "config.json").read_text()


def test_it_learns_what_it_is_shown(batches, trainer, tmp_path) -> None:
    new = trainer(tmp_path, Recipe(steps=60, batch=16, validate_every=60, warm_up=5, average=0.9))
    steps = run(new, batches)
    first = Trainer(tmp_path / "new", RECIPE, new.network.config)
    first.know_words(batches.text)
    before = losses(
        first.network, batches.at(torch.arange(16).numpy(), None), torch.Generator().manual_seed(0)
    )
    after = losses(new.network, batches.at(torch.arange(16).numpy(), None), torch.Generator().manual_seed(0))
    assert float(after["flow"].detach()) < 0.8 * float(before["flow"].detach())
    assert float(after["table"].detach()) < float(before["table"].detach())
    assert steps[-1].left_s == pytest.approx(0.0)


def test_a_chunk_begins_with_the_row_of_its_frame(demos, batches) -> None:
    shown = read(demos)
    chunks = batches.at(torch.arange(len(shown)).numpy(), None).chunk
    assert torch.equal(chunks[:, 0], torch.tensor(shown.numbers["action"]))


def test_after_the_end_there_is_nothing_to_do(batches) -> None:
    done = int(batches.numbers["done"].nonzero()[0])
    chunk = batches.at(torch.tensor([done]).numpy(), None).chunk[0]
    assert (chunk[:, :6] == 0).all()
    assert (chunk[:, 6] == chunk[0, 6]).all()
