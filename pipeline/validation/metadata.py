"""Metadata in its stored form: compact JSON with the values, the order of keys and the text of numbers from the line.

White space is removed, escapes become characters, and the last value of a repeated key counts.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from pipeline.contract.formats import FormatError
from pipeline.validation import deep_json
from pipeline.validation.records import METADATA_DEPTH_MAX

# Numbers with a fraction or exponent keep their text (`1.00`, `1e400`). Integers pass through int, which turns `-0`
# into `0` and refuses thousands of digits: such metadata takes the slower path, `_write`.
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any] | None, float_hook=msgspec.Raw).decode
_minus_zero: Final = re.compile(rb"-0[,}\]\s]").search


def canonical(raw: msgspec.Raw) -> bytes | None:
    """Return the text to store; None for null.

    Raises:
        FormatError: it is not an object, or nested too deep.
    """
    text = bytes(raw)
    if text == b"null":
        return None
    if not text.startswith(b"{"):
        raise FormatError("no object")
    if _is_deep(text):
        raise FormatError("nested too deep")
    try:
        if not _minus_zero(text):
            return _encode(_decode(text))
    except (msgspec.MsgspecError, ValueError):  # an integer that the decoder does not accept
        pass
    return _write(json.loads(text, parse_int=_Number, parse_float=_Number))


def with_texts(stored: str, change: Callable[[str], str]) -> str:
    """Return stored metadata with every text in them changed, keys too.

    Of keys that become equal the last stays, in its own place: so several changes have the same result in any order.

    Args:
        stored: the text that `canonical` returned.
        change: returns what takes the place of a text.
    """
    return _write(_changed(json.loads(stored, parse_int=_Number, parse_float=_Number), change)).decode()


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        changed: dict[str, Any] = {}
        for key, member in value.items():
            name = change(key)
            changed.pop(name, None)
            changed[name] = _changed(member, change)
        return changed
    if isinstance(value, list):
        return [_changed(member, change) for member in value]
    return change(value) if isinstance(value, str) and not isinstance(value, _Number) else value


def _is_deep(text: bytes) -> bool:
    # Every level takes a bracket at each end, so a short text need not be read.
    return len(text) > 2 * METADATA_DEPTH_MAX and deep_json.depth(text.decode()) > METADATA_DEPTH_MAX


class _Number(str):
    """The text of a number."""

    __slots__ = ()


def _write(value: Any) -> bytes:
    if isinstance(value, _Number):
        return value.encode()
    if isinstance(value, dict):
        return b"{" + b",".join(_encode(key) + b":" + _write(member) for key, member in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_write, value)) + b"]"
    return _encode(value)
