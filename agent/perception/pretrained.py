"""The detector's folder: `config.json`, `model.safetensors`, and the model card beside them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from agent.perception.network import CLASSES, Network
from traces.errors import TandemError
from vla_low_level.nouns import Colour

SHIPPED = Path(__file__).parent / "weights"


def save_pretrained(folder: Path, network: Network, facts: dict[str, Any]) -> None:
    """Write weights (float16) and configuration; `facts` say how they came about."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "model.safetensors"
    save_file({k: v.half().contiguous() for k, v in network.state_dict().items()}, weights)
    config = {
        "type": "tandem-detector",
        "classes": [str(name) for name in CLASSES],
        "colours": [str(name) for name in Colour],
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "training": facts,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def load_pretrained(folder: Path) -> tuple[Network, str]:
    """Read a folder; returns the network, ready to run in float32, and the sha256 of its weights.

    Raises:
        TandemError: `WEIGHTS_MISSING` or `WEIGHTS_DAMAGED`, naming the file.
    """
    weights = folder / "model.safetensors"
    try:
        config = json.loads((folder / "config.json").read_text())
        data = weights.read_bytes()
    except FileNotFoundError as error:
        raise TandemError(
            "WEIGHTS_MISSING",
            f"{error.filename} is missing",
            fix="reinstall the package, or train the detector",
        ) from error
    except (OSError, ValueError) as error:
        raise _damaged(folder, str(error)) from error
    digest = hashlib.sha256(data).hexdigest()
    if not isinstance(config, dict) or digest != config.get("sha256"):
        raise _damaged(weights, "its sha256 is not the one in config.json")
    if config.get("classes") != [str(name) for name in CLASSES]:
        raise _damaged(folder / "config.json", "its classes are not the ones of this version")
    network = Network()
    try:
        network.load_state_dict({k: v.float() for k, v in load_file(weights).items()})
    except (SafetensorError, RuntimeError) as error:
        raise _damaged(weights, str(error).splitlines()[0]) from error
    return network.eval().to(memory_format=torch.channels_last), digest  # type: ignore[call-overload]


def _damaged(path: Path, why: str) -> TandemError:
    return TandemError(
        "WEIGHTS_DAMAGED", f"{path}: {why}", fix="reinstall the package, or train the detector"
    )
