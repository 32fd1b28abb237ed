"""What is done about an alarm: one rung after another, from holding still to stopping for good."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from vla_low_level.monitor import Finding


class Response(StrEnum):
    """The rungs, mildest first. CONTINUE and WARN go on; every other one holds the arm first."""

    CONTINUE = "continue"
    WARN = "warn"
    HOLD = "hold"
    PERCEIVE = "perceive"
    RETRY = "retry"
    REPLAN = "replan"
    ASK = "ask"
    STOP = "stop"


AFTER_HOLDING = (Response.RETRY, Response.REPLAN, Response.ASK, Response.STOP)


class Ladder(BaseModel):
    """Which rung the n-th alarm of a command leads to.

    After every alarm the arm holds and the scene is perceived again; where the effect turns out to be true
    all the same, the command goes on. Else the rung decides.

    Attributes:
        rungs: Of the first, second, ... alarm at one node; the last one stays.
        blind: The same for alarms of the cameras themselves: trying again is not likely to help.
        most: Alarms in one command from which on a person is asked, whatever the rung.
        believed: Alarms at one node after which plain limits watch further tries: what the calibrated score
            finds strange about this place it will find strange every time, and its promise is of first tries.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rungs: tuple[Response, ...] = Field(
        default=(Response.RETRY, Response.RETRY, Response.REPLAN, Response.ASK), min_length=1, max_length=16
    )
    blind: tuple[Response, ...] = Field(default=(Response.RETRY, Response.ASK), min_length=1, max_length=16)
    most: int = Field(default=8, ge=1, le=100)
    believed: int = Field(default=1, ge=1, le=100)

    def model_post_init(self, _context: object) -> None:
        """Raises ValueError for a rung that decides nothing."""
        for rung in (*self.rungs, *self.blind):
            if rung not in AFTER_HOLDING:
                raise ValueError(f"{rung.value} is no rung: it is one of {', '.join(AFTER_HOLDING)}")

    def rung(self, at_node: int, in_command: int, *, blind: bool) -> Response:
        """The response to an alarm.

        Args:
            at_node: Which alarm at this node it is, from 1.
            in_command: Which alarm of the command it is, from 1.
            blind: Whether it came from a camera that shows nothing of the present.
        """
        rungs = self.blind if blind else self.rungs
        found = rungs[min(at_node, len(rungs)) - 1]
        late = in_command >= self.most and found not in (Response.ASK, Response.STOP)
        return Response.ASK if late else found


BLIND = ("monitor_blank_", "monitor_frozen_", "camera_")


class Alarms:
    """Counts the alarms of a command and says what each of them leads to."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder, self._at_node, self._in_command = ladder, dict[str, int](), 0

    def believes(self, node: str) -> bool:
        """Whether the calibrated score watches the next try at a node."""
        return self._at_node.get(node, 0) < self._ladder.believed

    def response(self, node: str, finding: Finding) -> Response:
        """The response to an alarm at a node, which counts from now on."""
        self._in_command += 1
        self._at_node[node] = at_node = self._at_node.get(node, 0) + 1
        return self._ladder.rung(at_node, self._in_command, blind=finding.name.startswith(BLIND))
