"""Single log lines, and their results in the validator."""

import json
from typing import Any, Final

from pipeline.contract.formats import instant
from pipeline.validation.records import Rejection, Row
from pipeline.validation.validate import validate
from tests.support.data_folder import NOW, record

LATEST: Final = instant(NOW) + 86_400_000_000


def validated(line: bytes | dict[str, Any], *, torn: bool = False) -> Row | Rejection | None:
    """Validate a line or a record."""
    return validate(line if isinstance(line, bytes) else json.dumps(line).encode(), LATEST, torn=torn)


def row(line: bytes | dict[str, Any]) -> Row:
    """Return the row of a line that must be good."""
    found = validated(line)
    assert isinstance(found, Row), found
    return found


def rejection(line: bytes | dict[str, Any], *, torn: bool = False) -> tuple[str, str | None]:
    """Return the reason and the field of a line that must be bad."""
    found = validated(line, torn=torn)
    assert isinstance(found, Rejection), found
    assert found.message
    return found.reason, found.field


def line(**fields: Any) -> bytes:
    """Return a good record as a line, with some fields replaced."""
    return json.dumps(record(**fields)).encode()


def without(key: str) -> dict[str, Any]:
    """Return a good record without one key."""
    return {name: value for name, value in record().items() if name != key}


def spliced(key: str, raw: str) -> bytes:
    """Return a good record's line with one more key, whose value is given as JSON text."""
    return json.dumps(record())[:-1].encode() + f',"{key}":{raw}}}'.encode()


def nested(depth: int, inner: str = "") -> str:
    """Return JSON text of arrays nested to a depth."""
    return "[" * depth + inner + "]" * depth
