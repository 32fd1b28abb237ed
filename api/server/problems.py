"""Errors as HTTP answers. A client sees code, message and fix; never a traceback."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping

from traces.errors import TandemError

_LOG = logging.getLogger("tandem.server")

STATUS = {
    **dict.fromkeys(("BAD_JSON", "BAD_REQUEST", "BAD_HEADER"), 400),
    **dict.fromkeys(("TOKEN_MISSING", "TOKEN_WRONG"), 401),
    **dict.fromkeys(("HOST_FORBIDDEN", "ORIGIN_FORBIDDEN", "CROSS_SITE"), 403),
    **dict.fromkeys(
        (
            *("COMMAND_UNKNOWN", "SNAPSHOT_UNKNOWN", "CAMERA_UNKNOWN", "RUN_NOT_FOUND", "BLOB_MISSING"),
            *("REPLAY_UNKNOWN", "NOT_FOUND"),
        ),
        404,
    ),
    "METHOD_NOT_ALLOWED": 405,
    "BODY_TIMEOUT": 408,
    **dict.fromkeys(
        (
            *("ALREADY_ENDED", "NOT_ASKED", "NOT_RUNNING", "NOT_RESUMABLE", "ROBOT_STOPPED", "STILL_ENDING"),
            *("KEY_REUSED", "REPLAY_BUSY", "TRACE_CORRUPT", "TRACE_SCHEMA", "BLOB_CORRUPT"),
        ),
        409,
    ),
    **dict.fromkeys(("BODY_TOO_LARGE", "INSTRUCTION_TOO_LONG"), 413),
    "CONTENT_TYPE": 415,
    **dict.fromkeys(("INVALID", "EMPTY_INSTRUCTION", "BAD_TEXT"), 422),
    **dict.fromkeys(("QUEUE_FULL", "TOO_MANY"), 429),
    **dict.fromkeys(("ROBOT_LOST", "STORE_FULL", "STORE_IO", "STORE_READ_ONLY"), 503),
}
RETRY_AFTER_S = 5


def status_of(code: str) -> int:
    """The HTTP status that goes with a code."""
    return STATUS.get(code, 500)


def body_of(error: TandemError) -> bytes:
    """The answer's body."""
    told = {"code": error.code, "message": error.message, "fix": error.fix}
    return json.dumps({"error": told}).encode()


def headers_of(error: TandemError) -> Mapping[str, str]:
    """Headers besides type and length."""
    match status_of(error.code):
        case 401:
            return {"www-authenticate": "Bearer"}
        case 429:
            return {"retry-after": str(RETRY_AFTER_S)}
        case 408 | 413:
            # What may still be under way is not waited for.
            return {"connection": "close"}
    return {}


def internal(cause: Exception) -> TandemError:
    """A bug: logged here with a number, told there by the number."""
    number = secrets.token_hex(4)
    _LOG.error("error %s", number, exc_info=cause)
    return TandemError(
        "INTERNAL", f"something went wrong here, error {number}", fix="look at the server's log"
    )
