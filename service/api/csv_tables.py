"""Answers as CSV (RFC 4180) for spreadsheets, made from the JSON of the same answer.

The file starts with a byte order mark: without it, Excel reads UTF-8 as the local code page and garbles every
name that is not ASCII. An apostrophe is put before text that a spreadsheet would run as a formula.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import StringIO
from typing import Final, NamedTuple

import msgspec

from service.api.activity import Event
from service.api.by_language import ByLanguage, LanguageRow
from service.api.envelope import Answer, quotient
from service.api.summary import ActivityBucket, Day, Summary

# The characters that start a formula, including their full-width forms, at the start of a cell or after a separator
# other than the comma. In half of Europe, Excel splits cells at semicolons, and then our quotes are part of the text.
_FORMULA: Final = re.compile(r'(?:\A|(?<=[;\t\r\n]))(?="*[=+\-@\uff1d\uff0b\uff0d\uff20])|\A(?=[\t\r\n])')


class CsvTable(NamedTuple):
    """A layout of an answer as rows."""

    name: str  # of the file, without its suffix
    columns: tuple[str, ...]
    rows: Callable[[bytes], Iterator[Sequence[object]]]  # from the JSON of the answer


class _Event(Event, frozen=True):
    """An event decoded from the answer; `metadata` stays JSON text."""

    metadata: msgspec.Raw


_SUMMARY: Final = msgspec.json.Decoder(Answer[Summary])
_BY_LANGUAGE: Final = msgspec.json.Decoder(Answer[ByLanguage])
_EVENTS: Final = msgspec.json.Decoder(Answer[list[_Event]])


def write(csv_table: CsvTable, data: bytes) -> bytes:
    """Return the CSV of an answer, given its JSON."""
    return encode(csv_table.columns, csv_table.rows(data))


def encode(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as CSV. None is an empty cell."""
    text = StringIO(newline="")
    writer = csv.writer(text)  # the default dialect is RFC 4180's
    writer.writerow(columns)
    writer.writerows(map(_cell, row) for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _cell(value: object) -> object:
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def _days(data: bytes) -> Iterator[Sequence[object]]:
    return map(msgspec.structs.astuple, _SUMMARY.decode(data).data.daily)


def _buckets(data: bytes) -> Iterator[Sequence[object]]:
    return map(msgspec.structs.astuple, _SUMMARY.decode(data).data.activity.buckets)


def _languages(data: bytes) -> Iterator[Sequence[object]]:
    answer = _BY_LANGUAGE.decode(data).data
    return language_rows(answer.languages, answer.total_credits, answer.untagged_credits)


def language_rows(languages: Sequence[LanguageRow], total: int, untagged: int) -> Iterator[Sequence[object]]:
    """Yield the languages, then the untagged credits, so that credits and shares add up to the total.

    Answers have no other untagged numbers, so those cells are empty.
    """
    yield from map(msgspec.structs.astuple, languages)
    if untagged:
        yield None, "Untagged", quotient(untagged, total, 6), untagged, None, None, None, None


def _events(data: bytes) -> Iterator[Sequence[object]]:
    for event in _EVENTS.decode(data).data:
        metadata = bytes(event.metadata).decode()
        yield (
            *(event.id, event.timestamp, event.action, event.kind),
            *msgspec.structs.astuple(event.resource),
            *(msgspec.structs.astuple(event.user) if event.user else (None, None)),
            *(None if metadata == "null" else metadata, event.ip),
        )


DAYS: Final = CsvTable("usage-days", Day.__struct_fields__, _days)
BUCKETS: Final = CsvTable("usage-buckets", ActivityBucket.__struct_fields__, _buckets)
LANGUAGES: Final = CsvTable("usage-languages", LanguageRow.__struct_fields__, _languages)
EVENTS: Final = CsvTable(
    "usage-activity",
    (
        *("id", "timestamp", "action", "kind", "resource_type", "resource_id", "resource_name"),
        *("user_id", "user_name", "metadata", "ip"),
    ),
    _events,
)
