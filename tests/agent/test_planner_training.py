"""Training the planner's model: its examples, where it computes, how long, and going on after a stop."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from agent.planner import stream, train
from agent.planner.embedded import EmbeddedPlanner
from agent.planner.generate import example
from agent.planner.language_model import END, FOLDER
from agent.planner.sketch import spelled
from agent.planner.stream import Batch, Stream, batch_of, chunk
from agent.planner.train import Settings, Trainer, device_of, size_of
from traces.errors import TandemError

TOKENIZER = FOLDER / "tokenizer.json"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few examples everywhere: a chunk of 64, 32 to validate on, 400 for the words."""
    monkeypatch.setattr(stream, "CHUNK", 64)
    for name, value in (("VALIDATED", 32), ("FIRST_WORDS", 400), ("WORDS_JOB", 200), ("VALIDATE_EVERY", 2)):
        monkeypatch.setattr(train, name, value)


def same(one: Batch, other: Batch) -> bool:
    parts = zip((one.ids, one.at, one.wanted), (other.ids, other.at, other.wanted), strict=True)
    return all(torch.equal(a, b) for a, b in parts)


def tiny(**more: object) -> Settings:
    return Settings(**({"steps": 4, "device": "cpu", "batch": 8, "width": 64, "layers": 1} | more))


def test_what_is_asked_for_is_the_sketch_and_its_end() -> None:
    rows = chunk(str(TOKENIZER), 3, 10, 4)
    batch = batch_of(rows)
    spelled_out = Tokenizer.from_file(str(TOKENIZER)).decode(batch.wanted.tolist(), skip_special_tokens=False)
    wanted = "".join(spelled(example(3, 10 + k).sketch) + END for k in range(4))
    assert spelled_out.replace(" ", "") == wanted.replace(" ", "")


def test_batches_are_the_same_whoever_makes_the_examples() -> None:
    alone = Stream(str(TOKENIZER), seed=1, batch=16, uses=2)
    with ThreadPoolExecutor(2) as pool:
        helped = Stream(str(TOKENIZER), seed=1, batch=16, uses=2, pool=pool, processes=2)
        assert all(same(alone.batch(step), helped.batch(step)) for step in range(10))
    assert same(alone.batch(9), Stream(str(TOKENIZER), 1, 16, 2).batch(9))


def test_a_round_holds_each_new_example_once_and_earlier_ones_again() -> None:
    once, twice = (Stream(str(TOKENIZER), 1, 16, uses) for uses in (1, 2))

    def seen(one: Stream, steps: range) -> list[bytes]:
        ids = [row[row > 0].numpy().tobytes() for step in steps for row in one.batch(step).ids]
        return sorted(ids)

    new = [seen(once, range(4 * k, 4 * k + 4)) for k in range(2)]
    assert sorted(set(seen(twice, range(8)))) == sorted(set(new[0]))
    assert len(seen(twice, range(8))) == 2 * len(new[0])
    assert set(new[1]) <= set(seen(twice, range(8, 16))) <= {*new[0], *new[1]}


def test_what_is_held_out_or_only_chooses_is_never_in_a_chunk() -> None:
    trained = chunk(str(TOKENIZER), 0, 0, 64)
    for kept in ("held_", "checked_"):
        apart = chunk(str(TOKENIZER), 0, 0, 64, kept)
        rows = {row.tobytes() for row in trained.ids}
        assert not np.any([row.tobytes() in rows for row in apart.ids])


def test_a_resumed_training_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    unbroken = Trainer(tmp_path / "unbroken", tiny())
    for _ in range(4):
        unbroken.learn()
    broken = Trainer(tmp_path / "broken", tiny())
    for _ in range(2):
        broken.learn()
    broken.spent_s, broken.best = 12.5, 0.25
    broken.save()
    resumed = Trainer(tmp_path / "broken", tiny())
    resumed.resume()
    assert (resumed.step, resumed.spent_s, resumed.best) == (2, 12.5, 0.25)
    resumed.spent_s = 0.0
    for _ in range(2):
        resumed.learn()
    for name, value in unbroken.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_what_was_trained_can_plan_and_a_second_call_has_nothing_left_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.train(tmp_path, tiny())
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [facts["step"] for facts in told] == [2, 4]
    assert told[-1]["examples"] == 32
    assert {"validation", "checked_families", "held_families"} < told[-1].keys()
    best = max(told, key=lambda facts: (facts["checked_families"][1], facts["step"]))
    shipped = json.loads((tmp_path / "folder" / "checksum.json").read_text())["training"]
    assert shipped == best
    assert EmbeddedPlanner(tmp_path / "folder").read("clear the table").text
    train.train(tmp_path, tiny())
    assert capsys.readouterr().out == ""


def test_training_begins_with_another_model_of_its_size(tmp_path: Path) -> None:
    first = Trainer(tmp_path / "first", tiny())
    first.check()
    second = Trainer(tmp_path / "second", tiny(start=tmp_path / "first" / "folder", width=128))
    assert second.model.config.hidden_size == 64
    assert second.rate < first.rate
    assert torch.equal(second.model.lm_head.weight, first.model.lm_head.weight.half().float())


@pytest.mark.parametrize(
    ("settings", "step", "spent_s", "wanted"),
    [
        (Settings(steps=10), 5, 1e6, 0.5),
        (Settings(steps=None, minutes=2), 10**6, 30.0, 0.25),
        (Settings(steps=10, minutes=2), 1, 60.0, 0.5),
        (Settings(steps=10, minutes=2), 20, 0.0, 1.0),
    ],
)
def test_training_is_over_when_steps_or_minutes_are(
    settings: Settings, step: int, spent_s: float, wanted: float
) -> None:
    assert settings.progress(step, spent_s) == wanted


def test_a_device_is_named_and_one_that_is_missing_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto") == device_of("cpu") == torch.device("cpu")
    with pytest.raises(TandemError, match="CUDA") as missing:
        device_of("cuda")
    assert missing.value.code == "DEVICE_MISSING"
    with pytest.raises(TandemError, match="tpu") as unknown:
        device_of("tpu")
    assert unknown.value.code == "DEVICE_UNKNOWN"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of("auto") == device_of("cuda") == torch.device("cuda")
    assert device_of("cpu") == torch.device("cpu")


def test_a_size_is_width_and_layers() -> None:
    assert size_of("256x6") == (256, 6)
    for wrong in ("", "256", "100x4", "256x0", "x", "256x6x1", "64x999", "-64x2", "2048x4"):
        with pytest.raises(TandemError) as error:
            size_of(wrong)
        assert error.value.code == "BAD_SIZE"
