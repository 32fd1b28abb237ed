"""The hand-written sets of `scenarios/planner/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.planner.cases import Case, read_cases, scene

__all__ = ["FOLDER", "Case", "cases", "scene"]

FOLDER = Path(__file__).parent / "planner"


def cases(file: str) -> Iterator[Case]:
    """Every case of a file, in order. Raises ValueError on a line that is none."""
    return read_cases(FOLDER / f"{file}.yaml")
