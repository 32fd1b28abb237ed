"""A calibration: what it was made from, how scores are normalised, and where the thresholds lie."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from traces.errors import TandemError
from vla_low_level.monitoring.channels import Channels
from vla_low_level.monitoring.conformal import marginal_rank, pac_rank, threshold
from vla_low_level.monitoring.novelty import Novelty

VERSION = 2
CARD, ARRAYS = "calibration.json", "novelty.safetensors"
NEVER = 1e9
"""Stands for infinity in JSON: an episode in which something alarmed that has no measure."""


class Fingerprint(BaseModel):
    """What a calibration holds for.

    Attributes:
        policy: The policy's id; a network's holds the sha256 of its weights.
        cameras: sha256 of size and intrinsics, by camera that the policy uses.
        controller: sha256 of the arm's limits and the code that moves it.
        clock: `lockstep` or `realtime`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str
    cameras: dict[str, str]
    controller: str
    clock: str = "lockstep"

    def differences(self, other: Fingerprint) -> tuple[str, ...]:
        """Which parts are not the same."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) != getattr(other, name))


class Card(BaseModel):
    """A calibration without its arrays, as it stands in `calibration.json`.

    Attributes:
        version: Of this format.
        fingerprint: What it holds for.
        data: sha256 over the sha256 of every rollout it was made from.
        alpha_act: Share of good episodes that may be stopped.
        alpha_warn: Share of good episodes that may be warned of.
        channels: How scores are normalised; from episodes of their own.
        scores: The evidence at the end of each calibration episode, ascending.
        fitted: How many good episodes the normalisation was fitted to.
        skills: Those that the arrays know, in their order.
        arrays: sha256 of the file with the arrays; empty without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(default=VERSION, ge=VERSION, le=VERSION)
    fingerprint: Fingerprint
    data: str
    alpha_act: float = Field(gt=0, lt=1)
    alpha_warn: float = Field(gt=0, lt=1)
    channels: Channels
    scores: tuple[float, ...]
    fitted: int
    skills: tuple[str, ...] = ()
    arrays: str = ""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A calibration that is ready to be used.

    Attributes:
        card: Everything but arrays.
        novelty: Of embeddings; None for policies that have none.
    """

    card: Card
    novelty: Novelty | None

    @property
    def act(self) -> float:
        """Score above which an episode is stopped. Raises `TandemError` (`CALIBRATION_SMALL`)."""
        return threshold(self.card.scores, marginal_rank(len(self.card.scores), self.card.alpha_act))

    @property
    def warn(self) -> float:
        """Score above which it is warned of. Raises as `act`."""
        return threshold(self.card.scores, marginal_rank(len(self.card.scores), self.card.alpha_warn))

    @property
    def act_pac(self) -> float | None:
        """Like `act`, for all but one calibration set in twenty; None where there are too few episodes."""
        try:
            return threshold(self.card.scores, pac_rank(len(self.card.scores), self.card.alpha_act))
        except TandemError:
            return None

    def save(self, folder: Path) -> None:
        """Write it. The same calibration gives the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        card = self.card
        if self.novelty is not None:
            path = folder / ARRAYS
            n = self.novelty
            arrays = {
                "means": n.means.astype(np.float16),
                "whiten": n.whiten.astype(np.float16),
                "bank": n.bank.astype(np.float16),
                "owner": n.owner.astype(np.int16),
            }
            # Whatever the order of an array's axes in memory, its bytes are written as they lie there.
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
            card = card.model_copy(update={"arrays": _sha256(path), "skills": n.skills})
        (folder / CARD).write_text(json.dumps(card.model_dump(mode="json"), indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Calibration:
        """Read it.

        Raises:
            TandemError: `CALIBRATION_MISSING` when there is none, `CALIBRATION_CORRUPT` when it is unreadable
                or its arrays are not those it was saved with, `CALIBRATION_SMALL` when it bounds nothing.
        """
        try:
            card = Card.model_validate_json((folder / CARD).read_text(encoding="utf-8"))
        except OSError as error:
            raise TandemError(
                "CALIBRATION_MISSING",
                f"no calibration in {folder}: {error.strerror}",
                fix="make one with `tandem calibrate`",
            ) from error
        except (ValidationError, ValueError) as error:
            raise _corrupt(folder, str(error).splitlines()[0]) from error
        found = cls(card, _read(folder, card) if card.arrays else None)
        _ = found.act
        return found


def _read(folder: Path, card: Card) -> Novelty:
    path = folder / ARRAYS
    try:
        if _sha256(path) != card.arrays:
            raise _corrupt(folder, f"{ARRAYS} is not the file it was saved with")
        arrays = load_file(path)
        return Novelty(
            skills=card.skills,
            means=arrays["means"].astype(np.float32),
            whiten=arrays["whiten"].astype(np.float32),
            bank=arrays["bank"].astype(np.float32),
            owner=arrays["owner"].astype(np.int64),
        )
    except (OSError, KeyError, SafetensorError) as error:
        raise _corrupt(folder, str(error)) from error


def _corrupt(folder: Path, why: str) -> TandemError:
    return TandemError(
        "CALIBRATION_CORRUPT",
        f"the calibration in {folder}: {why}",
        fix="make it anew with `tandem calibrate`",
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
