"""Training can be stopped and resumed without a trace of it, and its pictures come from a seed."""

import numpy as np
import pytest
import torch

from agent.perception.train import Shards, Trainer, batches, load_shards
from sim.labelled import LabelledWorld
from vla_low_level.nouns import Category

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def shards() -> Shards:
    rng = np.random.default_rng(5)
    n, height, width = 3, 48, 64
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.diag([1.0, -1.0, -1.0]), (0.45, 0.0, 1.2)
    objects = np.full((n, 12, 8), -1, np.float32)
    objects[:, 0] = [list(Category).index(Category.CUBE), 2, 0.45, 0.02, 0.0, 0.3, 0, 99]
    return Shards(
        rgb=rng.integers(0, 255, (n, height, width, 3), dtype=np.uint8),
        height_mm=rng.integers(0, 50, (n, height, width)).astype(np.int16),
        pose=np.stack([pose] * n),
        objects=objects,
        places=np.full((n, 5, 2), np.nan, np.float32),
        furniture=np.full((n, 2, 4), np.nan, np.float32),
        intrinsics=np.array([[60.0, 0.0, 32.0], [0.0, 60.0, 24.0], [0.0, 0.0, 1.0]]),
    )


def learn(trainer: Trainer, shards: Shards, until: int) -> None:
    for data in batches(shards, 3, trainer.step):
        if trainer.step >= until:
            return
        trainer.learn(data)


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path, shards):
    (tmp_path / "broken").mkdir()
    unbroken = Trainer(tmp_path / "unbroken", steps=4, seed=3)
    learn(unbroken, shards, 4)
    broken = Trainer(tmp_path / "broken", steps=4, seed=3)
    learn(broken, shards, 2)
    broken.save()
    resumed = Trainer(tmp_path / "broken", steps=4, seed=99)
    resumed.resume()
    learn(resumed, shards, 4)
    for name, value in unbroken.average.state_dict().items():
        assert torch.equal(value, resumed.average.state_dict()[name]), name


def test_learning_lowers_the_loss(tmp_path, shards):
    trainer = Trainer(tmp_path, steps=60, seed=3)
    losses = [trainer.learn(data)["total"] for data, _ in zip(batches(shards, 3, 0), range(35), strict=False)]
    assert losses[-1] < 0.75 * losses[0]  # still within the warm-up


def test_no_data_says_how_to_make_some(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"sim\.labelled"):
        load_shards(tmp_path, np.eye(3))


def test_labelled_pictures_come_from_their_seed():
    pictures = []
    for _ in range(2):
        world = LabelledWorld(np.random.default_rng([41, 7]))
        pictures.append(world.sample())
        world.close()
    first, second = pictures
    for name in ("rgb", "height_mm", "pose", "objects"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    real = first.objects[first.objects[:, 0] >= 0]
    assert 1 <= len(real) <= 9
    assert (abs(real[:, 2:4]) < 1.0).all()
