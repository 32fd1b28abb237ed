"""A detector that is missing or damaged says so, and what to do about it."""

import json
import shutil

import pytest

from agent.perception.detector import Detector
from agent.perception.pretrained import SHIPPED
from traces.errors import TandemError


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(SHIPPED, tmp_path / "weights")


def code_of(folder) -> str:
    with pytest.raises(TandemError) as caught:
        Detector.from_pretrained(folder)
    assert caught.value.fix
    assert str(folder) in caught.value.message
    return caught.value.code


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    assert code_of(folder) == "WEIGHTS_MISSING"


def test_one_flipped_bit(folder):
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    assert code_of(folder) == "WEIGHTS_DAMAGED"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"sha256": 7}'])
def test_nonsense_configuration(folder, text):
    (folder / "config.json").write_text(text)
    assert code_of(folder) == "WEIGHTS_DAMAGED"


def test_weights_of_another_vocabulary(folder):
    config = json.loads((folder / "config.json").read_text())
    config["classes"].reverse()
    (folder / "config.json").write_text(json.dumps(config))
    assert code_of(folder) == "WEIGHTS_DAMAGED"


def test_the_version_names_the_weights(folder):
    config = json.loads((folder / "config.json").read_text())
    assert Detector.from_pretrained(folder).version == f"detector-{config['sha256'][:12]}"
