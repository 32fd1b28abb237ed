"""JSON as the standard has it, and no more: what other parsers let through is refused here."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from traces.errors import TandemError

MAX_DEPTH = 32
MAX_DIGITS = 400
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]')


def parse(body: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises:
        TandemError: `BAD_JSON`: not UTF-8, not JSON, too deep, a name twice, no finite number, half a
            character.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise _bad("the body is not UTF-8") from cause
    _check_depth(body)
    try:
        value = json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite, parse_int=_short
        )
    except (ValueError, RecursionError) as cause:
        raise _bad(f"the body is not JSON: {_short_words(cause)}") from cause
    if _SURROGATE.search(text):
        _check_text(value)
    return value


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _check_depth(body: bytes) -> None:
    depth = 0
    for found in _BRACKETS.finditer(body):
        first = found.group()[:1]
        depth += first in b"[{"
        depth -= first in b"]}"
        if depth > MAX_DEPTH:
            raise _bad(f"the body is nested more than {MAX_DEPTH} deep")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise _bad("a name stands twice in one object")
    return names


def _no_constant(name: str) -> NoReturn:
    raise _bad(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text) if len(text) <= MAX_DIGITS else math.inf
    if not math.isfinite(value):
        raise _bad("a number is too large")
    return value


def _short(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _bad("a number is too long")
    return int(text)


def _check_text(value: Any) -> None:
    """Half of a surrogate pair is no character."""
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError as cause:
                raise _bad("a text holds half a character") from cause
        case dict():
            for name, item in value.items():
                _check_text(name)
                _check_text(item)
        case list():
            for item in value:
                _check_text(item)


def _short_words(cause: Exception) -> str:
    return str(cause)[:80] if isinstance(cause, json.JSONDecodeError) else type(cause).__name__


def _bad(why: str) -> TandemError:
    return TandemError("BAD_JSON", why, fix="send one JSON object in UTF-8")
