"""Turn the bytes of a line into the text of one JSON object, or say why it is none.

The first step of a diagnosis: what is wrong with a line before its fields are looked at. Reads and writes nothing.
"""

import json
from typing import Final

from pipeline.validation import checks, deep_json
from pipeline.validation.checks import FaultError, Faults
from pipeline.validation.records import Rejection

_BOM: Final = "\ufeff"


class _ConstantError(Exception):
    """Raised where a line has NaN or Infinity, which JSON does not have."""


def _no_constant(name: str) -> None:
    raise _ConstantError(name)


_decode: Final = json.JSONDecoder(parse_constant=_no_constant, parse_int=str, parse_float=str).decode


def object_text(line: bytes, faults: Faults, *, torn: bool) -> str:
    """Return the text of a line, in which whatever is no character is replaced.

    Raises:
        FaultError: it is not one JSON object.
        EnoughError: there are as many faults as are wanted.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        text = line.decode(errors="replace")
        if torn and not _well_formed(text):
            raise _torn() from None
        message = f"byte {error.start + 1} of the line is not UTF-8; write the log in UTF-8"
        faults.add(Rejection("invalid_encoding", None, message))
    try:
        _parse(text)
    except json.JSONDecodeError as error:
        if torn:
            raise _torn() from None
        raise FaultError("invalid_json", None, f"not JSON: {_fault(error)} at character {error.pos + 1}") from None
    if deep_json.has_lone_surrogate(text):
        message = "half of a surrogate pair is escaped; write whole characters"
        faults.add(Rejection("invalid_encoding", None, message))
        text = deep_json.without_lone_surrogates(text)
    text = text.strip(" \t\n\r")
    if not text.startswith("{"):
        raise FaultError("not_an_object", None, f"the line is {checks.kind_of(text)}; write one JSON object a line")
    return text


def _torn() -> FaultError:
    message = "the file ends within this line; it is read again when the file grows"
    return FaultError("truncated_line", None, message)


def _fault(error: json.JSONDecodeError) -> str:
    r"""Return what is wrong without the place, which some messages lead up to: `Invalid control character at`."""
    return error.msg.removesuffix(" at").rstrip(": ")


def _parse(text: str) -> None:
    """Raise JSONDecodeError if a text is not JSON by the strict grammar."""
    if text.startswith(_BOM):
        raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
    try:
        _decode(text)
    except RecursionError:
        deep_json.members(text)
    except _ConstantError as constant:  # the decoder does not say where it is
        try:
            deep_json.members(text)
        except json.JSONDecodeError as error:
            raise json.JSONDecodeError(f"{constant} is not a JSON number", text, error.pos) from None


def _well_formed(text: str) -> bool:
    try:
        _parse(text)
    except json.JSONDecodeError:
        return False
    return True
