"""What may stand in an attribute, and how it is written.

Attributes are strings, integers, floats, booleans and lists of one of these. NaN and infinities stay what
they are: JSON has no word for them, so the log writes `{"$float": "nan"}`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

Scalar = str | bool | int | float
Value = Scalar | list[str] | list[bool] | list[int] | list[float]

MAX_TEXT = 16_384
_INT64 = 1 << 63
_TAG = "$float"


def plain(value: object) -> Value | None:
    """Bring a value into attribute form.

    Enumerations and numpy scalars become what they hold; mappings and mixed or nested sequences become JSON
    text; texts are cut at `MAX_TEXT` characters and say so; integers beyond 64 bits become text.

    Args:
        value: Any of the above; None means "not set" and stays None.

    Raises:
        TypeError: There is no attribute form for it.
    """
    kind = type(value)
    if kind is float or kind is bool or (kind is str and value.isascii() and len(value) <= MAX_TEXT):  # type: ignore[attr-defined, arg-type]
        return value  # type: ignore[return-value]
    if isinstance(value, Enum):
        value = value.value
    elif isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else str(value)
    if isinstance(value, PurePath):
        return _text(str(value))
    if isinstance(value, Mapping):
        return _text(as_json(value))
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return _list(value)
    raise TypeError(f"no attribute form for {type(value).__name__}; put it into a blob")


def plain_all(attributes: Mapping[str, object]) -> dict[str, Value]:
    """`plain` for every attribute; those that are None are left out."""
    return {key: done for key, value in attributes.items() if (done := plain(value)) is not None}


def as_json(value: object) -> str:
    """Canonical JSON text: sorted keys, no spaces, NaN and infinities tagged.

    Raises:
        TypeError: Something in it has no JSON form.
    """
    return json.dumps(
        to_wire(value),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=_other,
    )


def to_wire(value: Any) -> Any:
    """Replace floats that JSON cannot write by tagged objects, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else {_TAG: repr(float(value))}
    if isinstance(value, Mapping):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_wire(item) for item in value]
    return value


def from_wire(value: Any) -> Any:
    """Undo `to_wire`.

    Raises:
        ValueError: A tag holds no number.
    """
    if isinstance(value, dict):
        if len(value) == 1 and _TAG in value:
            return float(value[_TAG])
        return {key: from_wire(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_wire(item) for item in value]
    return value


def _text(value: str) -> str:
    if not value.isascii():
        # Lone surrogates (bytes that were no text) cannot travel as UTF-8.
        value = value.encode("utf-8", "backslashreplace").decode("utf-8")
    value = str(value)
    return value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}… [+{len(value) - MAX_TEXT} characters]"


def _list(value: Sequence[object]) -> Value:
    items = [plain(item) for item in value]
    kinds = {type(item) for item in items}
    if kinds <= {int, float} and len(kinds) > 1:
        return [float(item) for item in items if isinstance(item, int | float)]
    if len(kinds) <= 1 and kinds <= {str, bool, int, float}:
        return items  # type: ignore[return-value]  # one kind, checked above
    return _text(as_json(items))


def _other(value: object) -> object:
    done = plain(value)
    if done is None:
        raise TypeError(f"no JSON form for {type(value).__name__}")
    return done
