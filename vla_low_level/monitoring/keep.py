"""Attempts on disk: what a monitor was told, chunk by chunk, and what came of it. npz, never pickled."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from traces.errors import TandemError
from vla_low_level.monitoring.make import Episode
from vla_low_level.monitoring.sample import Felt, Seen

GROUPS = ("features", "frames")


@dataclass(frozen=True, slots=True)
class Label:
    """What a rollout is, beside its arrays.

    Attributes:
        policy: Whose; with its version.
        seed: Of the scene. Attempts of one scene are not independent.
        fault: What was wrong, empty when nothing was.
        onset_s: When it began, s after the attempt's beginning; NaN without a fault.
        skill, started_s, success, ended, post, contacts, damage: As in `Rollout`.
    """

    policy: str
    seed: int
    fault: str
    onset_s: float
    skill: str
    started_s: float
    success: bool
    ended: str
    post: str
    contacts: int
    damage: int

    @property
    def good(self) -> bool:
        """Nothing was wrong, it was done, and the policy said so: what calibrations are made from."""
        return not self.fault and self.success and self.ended == "done"


@dataclass(frozen=True, slots=True)
class Kept:
    """An attempt as it was read back: what it is, and what the monitor was told."""

    label: Label
    episode: Episode

    @property
    def lasted_s(self) -> float:
        """How long it was, s."""
        felt = self.episode.felt
        return felt[-1].time_s - self.label.started_s if felt else 0.0


class Told(Protocol):
    """An attempt that is to be kept; see `Episode` for the fields."""

    seen: list[Seen]
    felt: list[Felt]
    off_m: list[float]
    spread: list[float]


def save(path: Path, label: Label, told: Told) -> None:
    """Write an attempt, whole or not at all. Raises OSError."""
    facts = {item.name: getattr(label, item.name) for item in fields(label)}
    arrays: dict[str, NDArray[Any]] = {"label": np.array(json.dumps(facts))}
    for item in fields(Seen):
        if item.name not in GROUPS:
            arrays[f"seen.{item.name}"] = np.array([getattr(s, item.name) for s in told.seen])
    for group in GROUPS:
        for key in getattr(told.seen[0], group) if told.seen else ():
            arrays[f"{group}.{key}"] = np.stack([getattr(s, group)[key] for s in told.seen])
    for item in fields(Felt):
        arrays[f"felt.{item.name}"] = np.array([getattr(f, item.name) for f in told.felt])
    arrays["off_m"], arrays["spread"] = np.array(told.off_m), np.array(told.spread)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    part.rename(path)


def load(path: Path) -> Kept:
    """Read what `save` wrote. Raises `TandemError` (`ROLLOUT_CORRUPT`)."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return _kept(arrays, hashlib.sha256(path.read_bytes()).hexdigest())
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise TandemError(
            "ROLLOUT_CORRUPT", f"{path.name} is no kept attempt: {error}", fix="remove it and record it again"
        ) from error


def load_all(folder: Path, pattern: str = "*.npz") -> list[Kept]:
    """Everything that was kept in a folder, by seed and time. Raises as `load`."""
    found = [load(path) for path in sorted(folder.glob(pattern))]
    return sorted(found, key=lambda kept: (kept.label.seed, kept.label.started_s))


def _kept(arrays: dict[str, NDArray[Any]], sha256: str) -> Kept:
    label = Label(**json.loads(str(arrays["label"])))
    groups = {
        group: {n.split(".", 1)[1]: v for n, v in arrays.items() if n.startswith(f"{group}.")}
        for group in GROUPS
    }
    plain = [item.name for item in fields(Seen) if item.name not in GROUPS]
    seen = []
    for k in range(len(arrays["seen.time_s"])):
        facts: dict[str, Any] = {name: _item(arrays[f"seen.{name}"][k]) for name in plain}
        for group, told in groups.items():
            facts[group] = {key: values[k] for key, values in told.items()}
        seen.append(Seen(**facts))
    felt = [
        Felt(**{item.name: _item(arrays[f"felt.{item.name}"][k]) for item in fields(Felt)})
        for k in range(len(arrays["felt.time_s"]))
    ]
    return Kept(
        label, Episode(label.skill, label.started_s, seen, felt, arrays["off_m"], arrays["spread"], sha256)
    )


def _under(group: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.split(".", 1)[1]: values for name, values in arrays.items() if name.startswith(f"{group}.")}


def _item(value: Any) -> Any:
    return value.item() if np.ndim(value) == 0 else value
