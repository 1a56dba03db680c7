"""Metadata as it is stored: compact JSON text whose values, number text and key order are those of the line."""

import json
from typing import Any, Final

import msgspec

from pipeline import scanner
from pipeline.formats import FormatError
from pipeline.records import METADATA_DEPTH_MAX

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


class _Number(str):
    """A number by its text: `1.00` and `1e400` are not what a float would print."""

    __slots__ = ()


def canonical(raw: msgspec.Raw) -> str | None:
    """Return the text to store; None for null.

    White space goes, escapes become the characters they stand for, of a repeated key the last value counts.

    Raises:
        FormatError: it is no object, or nested too deep.
    """
    text = bytes(raw)
    if text == b"null":
        return None
    if not text.startswith(b"{"):
        raise FormatError("no object")
    if text.count(b"{") + text.count(b"[") > METADATA_DEPTH_MAX and scanner.depth(text.decode()) > METADATA_DEPTH_MAX:
        raise FormatError("nested too deep")
    compact = text if len(text.split()) == 1 else msgspec.json.format(text, indent=-1)
    try:
        # Without escapes, `":` stands behind every key and nowhere else: as many as there are members, none repeated.
        if b"\\" not in compact and _has_members(_decode(compact), compact.count(b'":')):
            return compact.decode()
    except msgspec.ValidationError:  # a number that no float can hold
        pass
    return _write(json.loads(compact, parse_int=_Number, parse_float=_Number))


def _has_members(value: dict[str, Any], keys: int) -> bool:
    """Return whether an object has as many members, those of inner objects included, as keys are written in it."""
    return len(value) == keys or _members(value) == keys


def _members(value: Any) -> int:
    """Return how many members all objects of a value have."""
    if isinstance(value, dict):
        return len(value) + sum(_members(member) for member in value.values() if isinstance(member, (dict, list)))
    return sum(_members(element) for element in value if isinstance(element, (dict, list)))


def _write(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text(key)}:{_write(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    return _text(value)


def _text(value: Any) -> str:
    return _encode(value).decode()
