"""Convert the values of a result for output: exact numbers, instants as RFC 3339 in UTC, no detour through floats.

Reads Arrow columns; returns values that `msgspec` can write as JSON. Does no I/O.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import pyarrow as pa

from pipeline.contract.calendar import microseconds, rfc3339

_SECOND_NS: Final = 1_000_000_000
_json: Final = msgspec.json.Encoder(decimal_format="number").encode


def rows(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a batch as tuples of JSON values."""
    return zip(*map(_column, batch.columns), strict=True)


def json(value: Any) -> bytes:
    """Return a value as JSON; NaN and infinity, which JSON does not have, become null."""
    return _json(value)


def text(value: Any) -> str:
    """Return a value as a cell of CSV or of a table; the caller handles null."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json(value).decode()


def _column(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type):  # Python's datetime has neither nanoseconds nor years after 9999
        naive = column.cast(pa.timestamp(column.type.unit)).cast(pa.string()).to_pylist()
        return [moment and _instant(moment) for moment in naive]
    if pa.types.is_date(column.type):
        return list(column.cast(pa.string()).to_pylist())
    return [_value(value) for value in column.to_pylist(maps_as_pydicts="lossy")]


def _instant(moment: str) -> str:
    """Turn an instant as Arrow writes it, `2026-11-24 12:00:00.000000`, into RFC 3339 in UTC."""
    whole, _, fraction = moment.replace(" ", "T").partition(".")
    digits = fraction.rstrip("0")
    return f"{whole}.{digits}Z" if digits else f"{whole}Z"


def _value(value: Any) -> Any:
    """Return a JSON value for a Python value of any DuckDB type."""
    if value is None or isinstance(value, bool | int | float | str | Decimal):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, datetime):
        return rfc3339(microseconds(value if value.tzinfo else value.replace(tzinfo=UTC)))
    if isinstance(value, dict):
        return {text(_value(key)): _value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_value(inner) for inner in value]
    return _duration(value) if isinstance(value, pa.MonthDayNano) else str(value)


def _duration(value: Any) -> str:
    """Return an interval as an ISO 8601 duration."""
    return f"P{value.months}M{value.days}DT{Decimal(value.nanoseconds) / _SECOND_NS:f}S"
