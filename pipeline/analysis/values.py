"""Convert the values of a result for output: exact numbers, instants as RFC 3339 in UTC, no detour through floats.

Reads Arrow columns; returns values that `msgspec` can write as JSON. Does no I/O. Python's dates know only the years 1
to 9999 and no infinity, so days and instants are converted from their numbers.
"""

import math
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_INFINITY: Final = "infinity"  # as DuckDB writes and reads it
_UNITS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}  # in a second
_DAY_SECONDS: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()
# The Gregorian calendar repeats itself.
_CYCLE_YEARS: Final = 400
_CYCLE_DAYS: Final = 146_097
# The years 1 to 2261, which every unit has.
_FIRST_SECOND: Final = -62_135_596_800
_END_SECOND: Final = 9_214_646_400
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
    """Return the values of a column of any type."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _instants(column)
    if pa.types.is_date(kind):
        return _numbers(column, 32, lambda value: _infinite(value, 32) or _day(value))
    if pa.types.is_time(kind):
        return _numbers(column, 64, lambda value: _time(value, _UNITS[kind.unit]))
    if pa.types.is_nested(kind):
        return _nested(column)
    if pa.types.is_dictionary(kind):
        return _column(column.dictionary_decode())
    return [_value(value) for value in column.to_pylist()]


def _nested(column: pa.Array) -> list[Any]:
    kind = column.type
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        values = [_column(child) for child in column.flatten()]
        rows = zip(*values, strict=True) if names else iter([()] * len(column))
        return [
            dict(zip(names, row, strict=True)) if valid else None
            for row, valid in zip(rows, column.is_valid().to_pylist(), strict=True)
        ]
    if pa.types.is_union(kind):
        members = [_column(column.field(number)) for number in range(kind.num_fields)]
        return [members[code][row] for row, code in enumerate(column.type_codes.to_pylist())]
    if pa.types.is_map(kind):
        pairs = column.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)])))
        return [None if one is None else {text(pair["key"]): pair["value"] for pair in one} for one in _nested(pairs)]
    elements = iter(_column(column.flatten()))
    lengths = pc.list_value_length(column).to_pylist()
    return [None if length is None else list(islice(elements, length)) for length in lengths]


def _instants(column: pa.Array) -> list[str | None]:
    unit = _UNITS[column.type.unit]
    naive = column.cast(pa.timestamp(column.type.unit))
    ends = pc.min_max(naive.view(pa.int64())).as_py()
    if ends["min"] is None or not _FIRST_SECOND * unit <= ends["min"] <= ends["max"] < _END_SECOND * unit:
        return _numbers(naive, 64, lambda value: _instant(value, unit))
    written = pc.replace_substring(naive.cast(pa.string()), " ", "T")  # all at once: a tenth of the time
    if unit > 1:
        written = pc.utf8_rtrim(pc.utf8_rtrim(written, "0"), ".")
    return list(pc.binary_join_element_wise(written, "Z", "").to_pylist())


def _numbers(column: pa.Array, bits: int, written: Any) -> list[str | None]:
    """Return what `written` makes of the numbers of a column of days, times or instants."""
    if column.type.bit_width != bits:
        column = column.cast(pa.time64("us"))
    numbers = column.view(pa.int64() if bits == 64 else pa.int32()).to_pylist()  # noqa: PLR2004
    return [None if number is None else written(number) for number in numbers]


def _instant(value: int, unit: int) -> str:
    """Return an instant as RFC 3339, in years that it does not have with more digits or a minus sign."""
    infinite = _infinite(value, 64)
    if infinite:
        return infinite
    days, rest = divmod(value, _DAY_SECONDS * unit)
    return f"{_day(days)}T{_time(rest, unit)}Z"


def _infinite(value: int, bits: int) -> str | None:
    if abs(value) != 2 ** (bits - 1) - 1:
        return None
    return _INFINITY if value > 0 else f"-{_INFINITY}"


def _day(days: int) -> str:
    """Return the date that is so many days after 1970-01-01."""
    cycles, rest = divmod(days + _EPOCH - 1, _CYCLE_DAYS)
    found = date.fromordinal(rest + 1)
    year = found.year + cycles * _CYCLE_YEARS
    sign, year = ("-", -year) if year < 0 else ("", year)
    return f"{sign}{year:04d}-{found.month:02d}-{found.day:02d}"


def _time(value: int, unit: int) -> str:
    """Return the time of a day, of which 24:00:00 is the end."""
    seconds, fraction = divmod(value, unit)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    whole = f"{hour:02d}:{minute:02d}:{second:02d}"
    return f"{whole}.{fraction:0{len(str(unit)) - 1}d}".rstrip("0") if fraction else whole


def _value(value: Any) -> Any:
    """Return a JSON value for a Python value that is not nested."""
    if value is None or isinstance(value, bool | int | float | str | Decimal):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return _duration(value) if isinstance(value, pa.MonthDayNano) else str(value)


def _duration(value: Any) -> str:
    """Return an interval as an ISO 8601 duration."""
    return f"P{value.months}M{value.days}DT{Decimal(value.nanoseconds) / _UNITS['ns']:f}S"
