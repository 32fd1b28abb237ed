"""The calibration of asking: scores of held-out commands, and what split conformal prediction makes of them.

Guaranteed, whatever the model: for a command drawn as those of the calibration were, the set holds what is
meant with probability 1 - alpha at least, on average over calibrations (marginal). Nothing is guaranteed for
other kinds of command, for one command in particular, or for how often a plan that is acted on fails.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.planner.cases import CALIBRATION
from agent.planner.prediction_set import Threshold
from traces.errors import TandemError
from vla_low_level.monitoring.conformal import exact_rank, least_episodes, threshold

# Chosen on the calibration lines: below it more wrong plans are acted on, above it only more is asked in vain
# (0 of 109 here, 4 at 0.08, 10 at 0.15), since a set that holds nothing is asked about too.
ALPHA = 0.03
FILE_VARIABLE = "TANDEM_ASKING"
SHIPPED = CALIBRATION / "embedded.json"
# Without a calibration: surer than any calibration of a model that is of use has asked for.
UNCALIBRATED = 0.9
_DATA = Path(__file__).parent / "data"
_AGAIN = "run: tandem planner calibrate"


class Calibration(BaseModel):
    """What is in a calibration file.

    Attributes:
        version: Of this format.
        model: sha256 of the model's weights; for an endpoint the model's name.
        words_sha256: Of the word lists and doubts that stand around the model.
        commands_sha256: Of the commands and scenes that it was made with.
        alpha: How often the set may miss what is meant, 0..1.
        scores: Nonconformity of each command, 0..1, ascending: 1 minus the probability of what was meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(default=1, ge=1, le=1)
    model: str = Field(max_length=400)
    words_sha256: str = Field(max_length=64)
    commands_sha256: str = Field(max_length=64)
    alpha: float = Field(gt=0.0, lt=1.0)
    scores: tuple[float, ...] = Field(max_length=100_000)

    @property
    def threshold(self) -> Threshold:
        """The threshold on probability, exact in the number of commands. Raises as `conformal_quantile`."""
        least = 1.0 - conformal_quantile(self.scores, self.alpha)
        basis = f"calibrated on {len(self.scores)} commands, misses at most {self.alpha:.0%}"
        return Threshold(least, basis, calibrated=True)


def conformal_quantile(scores: Sequence[float], alpha: float) -> float:
    """The score that a new exchangeable one exceeds with probability `alpha` at most.

    Of n, the ceil((n + 1)(1 - alpha))-th smallest; the plain quantile is exceeded more often.

    Raises:
        TandemError: `CALIBRATION_TOO_SMALL` when there is no such rank among n scores.
    """
    rank = exact_rank(len(scores), alpha)
    if rank is None:
        raise TandemError(
            "CALIBRATION_TOO_SMALL",
            f"{len(scores)} commands cannot be calibrated to miss at most {alpha:.3g}",
            fix=f"give {least_episodes(alpha)} commands at least, or a larger alpha",
        )
    return threshold(scores, rank)


def threshold_for(model: str) -> Threshold:
    """The threshold of the calibration that belongs to a model; without one, a high one. Raises as `find`."""
    found = find(model)
    if isinstance(found, Calibration):
        return found.threshold
    basis = f"not calibrated, so it asks more: {found}; {_AGAIN}"
    logging.getLogger(__name__).warning("asking is %s", basis)
    return Threshold(UNCALIBRATED, basis, calibrated=False)


def find(model: str) -> Calibration | str:
    """The calibration that belongs to a model, in the file that `TANDEM_ASKING` names, else the shipped one.

    As text, why there is none.

    Raises:
        TandemError: `CALIBRATION_UNREADABLE` when the file that the variable names is none.
    """
    named = os.environ.get(FILE_VARIABLE)
    try:
        told = read(Path(named) if named else SHIPPED)
    except TandemError as error:
        if named:
            raise
        return error.message
    if told.model != model:
        return f"the calibration is of another model ({told.model[:12]}, not {model[:12]})"
    if told.words_sha256 != words_sha256():
        return "the planner's word lists have changed since it was calibrated"
    return told


def read(path: Path) -> Calibration:
    """Read a calibration file. Raises `TandemError` (`CALIBRATION_UNREADABLE`)."""
    try:
        return Calibration.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no calibration of asking"
        raise TandemError("CALIBRATION_UNREADABLE", f"{path}: {why}", fix=_AGAIN) from error


def write(path: Path, told: Calibration) -> None:
    """Write a calibration file, whole or not at all. Raises `TandemError` (`CALIBRATION_UNWRITABLE`)."""
    partial = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(told.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise TandemError(
            "CALIBRATION_UNWRITABLE",
            f"{path}: {error.strerror}",
            fix=f"name a file with --out, and set {FILE_VARIABLE} to it",
        ) from error


def words_sha256() -> str:
    """Of every list that decides how words are read."""
    return sha256_of(*sorted(_DATA.glob("*.yaml")))


def sha256_of(*paths: Path) -> str:
    """sha256 over files, in this order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
