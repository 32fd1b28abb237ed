"""How a command can end."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Outcome(StrEnum):
    """The closed list of endings. Every command reaches exactly one."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    NEEDS_HELP = "needs_help"
    INTERRUPTED = "interrupted"


class CommandResult(BaseModel):
    """What a command came to, as it is written to `result.json` and shown to a person.

    Attributes:
        outcome: How it ended.
        code: Stable upper-case reason; empty when it succeeded.
        message: One sentence for a person.
        fix: What the person can do about it; may be empty.
        instruction: The command as it was given.
        steps_done: Skill nodes that ended in success.
        retries: Skill attempts beyond the first.
        replans: Plans made beyond the first.
        chunks: Action chunks executed.
        sim_s: Time on the body's clock, s.
        wall_s: Time on the wall, s.
        details: Further facts by name, JSON values only.
    """

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    code: str = ""
    message: str = ""
    fix: str = ""
    instruction: str = ""
    steps_done: int = 0
    retries: int = 0
    replans: int = 0
    chunks: int = 0
    sim_s: float = 0.0
    wall_s: float = 0.0
    details: dict[str, Any] = Field(default_factory=dict)
