"""Metadata as it is stored: compact JSON text whose values, number text and key order are those of the line.

White space goes, escapes become the characters they stand for, of a repeated key the last value counts.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pipeline import scanner
from pipeline.formats import FormatError
from pipeline.records import METADATA_DEPTH_MAX

# Numbers with fraction or exponent pass by their text (`1.00`, `1e400`) and integers of any length as they are; the one
# number that comes back otherwise is the integer `-0`.
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any] | None, float_hook=msgspec.Raw).decode
_decode_all: Final = msgspec.json.Decoder(list[dict[str, Any] | None], float_hook=msgspec.Raw).decode
_minus_zero: Final = re.compile(rb"-0[,}\]\s]").search


def canonical(raw: msgspec.Raw) -> bytes | None:
    """Return the text to store; None for null.

    Raises:
        FormatError: it is no object, or nested too deep.
    """
    text = bytes(raw)
    if len(text) > METADATA_DEPTH_MAX and scanner.depth(text.decode()) > METADATA_DEPTH_MAX:
        raise FormatError("nested too deep")
    try:
        value = _decode(text)
    except msgspec.ValidationError:
        raise FormatError("no object") from None
    if value is None:
        return None
    return _write(json.loads(text, parse_int=_Number, parse_float=_Number)) if _minus_zero(text) else _encode(value)


def canonical_all(raws: Sequence[msgspec.Raw]) -> list[bytes | None] | None:
    """Return the texts to store for many at once; None where one of them needs a closer look."""
    text = b"[" + b",".join(raws) + b"]"
    if b"-0" in text and _minus_zero(text):
        return None
    try:
        values = _decode_all(text)
    except (msgspec.ValidationError, RecursionError):
        return None
    found = [None if value is None else _encode(value) for value in values]
    # A shorter text cannot be nested too deep: every level takes a bracket at each end.
    longest = max(map(len, filter(None, found)), default=0)
    return found if longest <= 2 * METADATA_DEPTH_MAX else _unless_deep(found)


def _unless_deep(texts: list[bytes | None]) -> list[bytes | None] | None:
    long = (text for text in texts if text and len(text) > 2 * METADATA_DEPTH_MAX)
    return None if any(scanner.depth(text.decode()) > METADATA_DEPTH_MAX for text in long) else texts


class _Number(str):
    """A number by its text."""

    __slots__ = ()


def _write(value: Any) -> bytes:
    if isinstance(value, _Number):
        return value.encode()
    if isinstance(value, dict):
        return b"{" + b",".join(_encode(key) + b":" + _write(member) for key, member in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_write, value)) + b"]"
    return _encode(value)
