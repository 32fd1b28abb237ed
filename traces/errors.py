"""The one error type that a person is meant to read."""

from __future__ import annotations


class TandemError(Exception):
    """A failure with a name: what happened, why, and what to do about it.

    Every floor raises it for what a user can cause or cure, so that the command line and the trace
    can show the same three things without a traceback.

    Attributes:
        code: Stable upper-case identifier, for programs (`SCENE_INVALID`, `LLM_TIMEOUT`, ...).
        message: The cause, one sentence, for a person.
        fix: What to try, one sentence; empty when nobody can do anything about it.
    """

    def __init__(self, code: str, message: str, *, fix: str = "") -> None:
        self.code = code
        self.message = message
        self.fix = fix
        super().__init__(f"{code}: {message}" + (f" ({fix})" if fix else ""))
