"""The policy's folder: `config.json`, `model.safetensors`, and the model card beside them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from traces.errors import TandemError
from vla_low_level.vla.config import TYPE, VLAConfig
from vla_low_level.vla.network import VLANetwork

SHIPPED = Path(__file__).parent / "weights"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
FIX = "reinstall the package, or train a policy with `tandem train`"


def save_pretrained(folder: Path, network: VLANetwork, facts: dict[str, Any]) -> None:
    """Write weights (float16) and configuration, whole or not at all; `facts` say how they came about."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{WEIGHTS}.part"
    save_file({k: v.half().contiguous() for k, v in network.state_dict().items()}, partial)
    digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    config = network.config.model_dump(mode="json") | {"sha256": digest, "training": facts}
    written = folder / f"{CONFIG}.part"
    written.write_text(json.dumps(config, indent=1) + "\n")
    partial.replace(folder / WEIGHTS)
    written.replace(folder / CONFIG)


def load_pretrained(folder: Path) -> tuple[VLANetwork, str]:
    """Read a folder; returns the network, ready to run in float32, and the sha256 of its weights.

    Raises:
        TandemError: `WEIGHTS_MISSING`, `WEIGHTS_DAMAGED` or `WEIGHTS_FOREIGN`, naming the file.
    """
    config, digest = _config(folder)
    path = folder / WEIGHTS
    try:
        data = path.read_bytes()
    except OSError as error:
        others = sorted(
            p.name for p in folder.glob("*") if p.suffix in {".bin", ".pt", ".pth", ".pkl", ".ckpt"}
        )
        if others:
            raise TandemError(
                "WEIGHTS_FOREIGN",
                f"{folder / others[0]} is a pickle, which can run anything when it is opened; it is not read",
                fix=f"convert it to {WEIGHTS} with the safetensors package",
            ) from error
        raise TandemError("WEIGHTS_MISSING", f"{path} is missing", fix=FIX) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise _damaged(path, f"its sha256 is not the one in {CONFIG}: truncated, or from another training")
    network = VLANetwork(config)
    try:
        network.load_state_dict({k: v.float() for k, v in load(data).items()})
    except SafetensorError as error:
        raise _damaged(path, str(error).splitlines()[0]) from error
    except RuntimeError as error:
        why = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise TandemError("WEIGHTS_FOREIGN", f"{path} is of another architecture: {why}", fix=FIX) from error
    return network.eval().to(memory_format=torch.channels_last), digest  # type: ignore[call-overload]


def _config(folder: Path) -> tuple[VLAConfig, str]:
    path = folder / CONFIG
    try:
        said = json.loads(path.read_text())
    except OSError as error:
        raise TandemError("WEIGHTS_MISSING", f"{path} is missing", fix=FIX) from error
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(said, dict) or said.get("type") != TYPE:
        kind = said.get("type", said.get("model_type")) if isinstance(said, dict) else None
        raise TandemError("WEIGHTS_FOREIGN", f"{path} describes a {kind!r}, not a {TYPE!r}", fix=FIX)
    digest = said.pop("sha256", None)
    said.pop("training", None)
    try:
        return VLAConfig.model_validate(said), str(digest)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TandemError("WEIGHTS_FOREIGN", f"{path}: {where}: {first['msg']}", fix=FIX) from error


def _damaged(path: Path, why: str) -> TandemError:
    return TandemError("WEIGHTS_DAMAGED", f"{path}: {why}", fix=FIX)
