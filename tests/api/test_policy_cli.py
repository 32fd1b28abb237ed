"""Record, show and train from the command line, as a user would; small."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from api.cli import app
from vla_low_level.vla.pretrained import load_pretrained

SMALL = [
    "--steps",
    "2",
    "--batch",
    "4",
    "--validate-every",
    "2",
    "--validation-scenes",
    "1",
    "--workers",
    "1",
]


def tandem(*words: str):
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "demos"
    done = tandem("data", "record", str(folder), "--first", "21", "--scenes", "1", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "episodes" in done.output
    return folder


def test_show_tells_what_is_there_and_draws_it(folder, tmp_path) -> None:
    done = tandem("data", "show", str(folder), "--out", str(tmp_path / "sheet.png"))
    assert done.exit_code == 0, done.output
    info = json.loads((folder / "meta/info.json").read_text())
    assert str(info["total_frames"]) in done.output
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[0] == 8 * 192


def test_train_leaves_weights_curves_and_goes_on_where_it_was(folder, tmp_path) -> None:
    out = tmp_path / "vla"
    done = tandem("train", str(folder), "--out", str(out), *SMALL)
    assert done.exit_code == 0, done.output
    network, _ = load_pretrained(out)
    assert network.config.action_std[0] > 0
    assert list((out / "round-0" / "tensorboard").iterdir())
    again = tandem("train", str(folder), "--out", str(out), *SMALL)
    assert "going on from step 2" in again.output


def test_a_round_of_corrections_is_recorded_with_the_policy_driving(folder, tmp_path) -> None:
    out = tmp_path / "vla"
    few = ["--dagger", "1", "--dagger-scenes", "2", "--dagger-steps", "2"]
    done = tandem("train", str(folder), "--out", str(out), *SMALL, *few)
    assert done.exit_code == 0, done.output
    about = json.loads((out / "corrections-1" / "meta/info.json").read_text())["tandem"]
    assert about["pilot"] == str(out / "round-0")
    load_pretrained(out / "round-1")


def test_glances_are_a_dataset_to_train_on_too(folder, tmp_path) -> None:
    glances = tmp_path / "glances"
    few = ["--first", "21", "--scenes", "2", "--workers", "1", "--glances"]
    done = tandem("data", "record", str(glances), *few)
    assert done.exit_code == 0, done.output
    info = json.loads((glances / "meta/info.json").read_text())
    assert info["total_frames"] == info["total_episodes"] > 10
    done = tandem("train", str(folder), f"{glances}=2", "--out", str(tmp_path / "vla"), *SMALL)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "nowhere"], "DATASET_MISSING"),
        (["train", "nowhere=-1"], "not a positive number"),
        (["train", "nowhere", "--device", "tpu"], "not auto, cpu or cuda"),
        (["data", "show", "nowhere"], "DATASET_MISSING"),
        (["data", "record", "x", "--arm", "ur5"], "not one of panda"),
        (["data", "record", "x", "--skill", "juggle"], "not one of pick"),
        (["data", "record", "x", "--glances", "--pilot", "y"], "nobody drives in a glance"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(words, says, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = tandem(*words)
    assert done.exit_code in (1, 2)
    assert says in done.output
    assert "Traceback" not in done.output


def test_the_choice_is_trained_on_and_the_rest_stays(folder, tmp_path) -> None:
    start, out = tmp_path / "vla", tmp_path / "choice"
    done = tandem("train", str(folder), "--out", str(start), *SMALL)
    assert done.exit_code == 0, done.output
    few = ["--start", str(start), "--out", str(out), "--check", str(folder), "--steps", "3"]
    done = tandem("train-choice", str(folder), *few)
    assert done.exit_code == 0, done.output
    assert "the hottest place alone" in done.output
    before, after = (load_pretrained(path)[0].state_dict() for path in (start, out))
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed
    assert all(name.startswith("choice.") for name in changed)
