"""How much of everything one command may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budgets:
    """Bounds that make every command end.

    Attributes:
        attempts: Tries of one node under one plan.
        plans: Plans of one command, the first included.
        questions: Questions put to a person in one command.
        refuted: Plans in a row that may fail their proof.
        fruitless: Plans in a row that may end without a single object being put where it belongs.
        chunks: Action chunks of one skill attempt.
        sim_s: Time on the body's clock, s.
    """

    attempts: int = 3
    plans: int = 16
    questions: int = 4
    refuted: int = 2
    fruitless: int = 3
    chunks: int = 120
    sim_s: float = 900.0
