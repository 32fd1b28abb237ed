"""Every likely sketch of an instruction: best-first search over the grammar.

Uniform-cost search pops prefixes in the order of their probability, so sketches come out likeliest first and
none that is likelier than the floor is missed, which a beam of fixed width cannot promise.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence

from agent.planner.language_model import END
from agent.planner.sketch import allowed

# Below it nothing is looked for: no set of a calibration that is of use holds what is so unlikely.
FLOOR = 0.02
MAX_SKETCHES = 12
MAX_LOOKS = 120
MAX_PIECES = 96

Scores = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
"""Log-probabilities of the pieces that may follow some pieces, normalised over those."""


def likely_sketches(scores: Scores, sorts: Sequence[str]) -> list[tuple[str, list[float]]]:
    """Sketches that are likelier than `FLOOR`, likeliest first, with the log-probability of each free choice.

    `MAX_SKETCHES` and `MAX_LOOKS` at the model bound what a sentence that it makes nothing of may cost.
    """
    heap: list[tuple[float, int, tuple[str, ...], list[float]]] = [(0.0, 0, (), [])]
    found: list[tuple[str, list[float]]] = []
    looks = pushed = 0
    while heap and len(found) < MAX_SKETCHES:
        cost, _, pieces, chosen = heapq.heappop(heap)
        if pieces and pieces[-1] == END:
            found.append(("".join(pieces[:-1]), chosen))
            continue
        pieces, options = _forced(pieces, sorts)
        if not options:
            heapq.heappush(heap, (cost, pushed := pushed + 1, pieces, chosen))
            continue
        if looks == MAX_LOOKS or len(pieces) >= MAX_PIECES:
            continue
        looks += 1
        for option, score in zip(options, scores(pieces, options), strict=True):
            if cost - score <= -math.log(FLOOR):
                pushed += 1
                heapq.heappush(heap, (cost - score, pushed, (*pieces, option), [*chosen, score]))
    return found


def _forced(pieces: tuple[str, ...], sorts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The pieces with all that the grammar forces, and the options then; none once they have ended."""
    while len(pieces) < MAX_PIECES:
        options = allowed(pieces, sorts)
        if len(options) > 1:
            return pieces, options
        pieces = (*pieces, options[0])
        if options[0] == END:
            return pieces, ()
    return (*pieces, END), ()
