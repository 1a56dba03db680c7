"""The forms of one answer: JSON or CSV, compressed or not, each made when somebody first wants it and then remembered.

A form is made of the JSON alone, so it is remembered under a digest of that. `meta` is in the JSON only; of CSV the
headers say what matters.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from service.api import csv_tables
from service.api import query_string as query
from service.api.activity import Pagination
from service.api.csv_tables import CsvTable
from service.api.envelope import Meta
from service.auth.authentication import Headers
from service.http import compression, negotiation
from service.http.cache import AnswerCache, CachedAnswer, form_digest
from service.http.exchange import JSON

Fields = list[tuple[bytes, bytes]]

_CSV: Final = (b"content-type", b"text/csv; charset=utf-8")
_GZIP: Final = (b"content-encoding", b"gzip")
_WORTH_BYTES: Final = 1024  # less goes into one packet anyway


class Form(NamedTuple):
    """How one client gets one answer."""

    answer: CachedAnswer
    csv_table: CsvTable | None  # None for JSON
    gzip: bool
    digest: bytes  # the same compressed or not: the tag made of it is weak


class _Paginated(msgspec.Struct, frozen=True):
    pagination: Pagination | None = None


def choose(answer: CachedAnswer, available: Sequence[CsvTable], headers: Headers, query_string: bytes) -> Form:
    """Return the form that a client would rather have.

    Args:
        answer: what was asked.
        available: what sheets the endpoint has; of two, the second is for requests that name a view.
        headers: of the request.
        query_string: as received.
    """
    wish = negotiation.wish(headers)
    if not (wish.csv and available):
        return Form(answer, None, wish.gzip, answer.digest)
    names_view = "activity_view" in query.parse(query_string, {"activity_view"})[0]
    csv_table = available[-1 if names_view else 0]
    return Form(answer, csv_table, wish.gzip, form_digest(answer.digest, csv_table.columns))


def write(form: Form, meta: Meta, path: str, query_string: bytes, memory: AnswerCache) -> tuple[Fields, bytes]:
    """Return the body of a form and the headers that describe it; what is the same for every request is remembered."""
    if form.csv_table is None:
        fields, body, rest = [JSON], form.answer.data[:-1], b',"meta":%b}' % msgspec.json.encode(meta)
    else:
        known = memory.get(form.digest) or memory.put(
            form.digest, csv_tables.write(form.csv_table, form.answer.data), form.digest
        )
        fields, body, rest = _describe(form.csv_table, form.answer.data, meta, path, query_string), known.data, b""
    if not form.gzip or len(body) < _WORTH_BYTES:
        return fields, body + rest
    key = (form.digest, "gzip")
    begun = memory.get(key) or memory.put(key, compression.begin(body), form.digest)
    return [*fields, _GZIP], compression.end(begun.data, rest)


def _describe(csv_table: CsvTable, data: bytes, meta: Meta, path: str, query_string: bytes) -> Fields:
    fields = [_CSV, (b"content-disposition", b'attachment; filename="%b.csv"' % csv_table.name.encode())]
    if meta.data_as_of:
        fields.append((b"x-data-as-of", meta.data_as_of.encode()))
    pagination = msgspec.json.decode(data, type=_Paginated).pagination
    if pagination:
        others = query.without(query_string, "cursor")
        links = [
            f'<{quote(path)}?{"&".join([*others, f"cursor={cursor}"])}>; rel="{relation}"'
            for relation, cursor in (("next", pagination.next), ("prev", pagination.prev))
            if cursor
        ]
        if links:
            fields.append((b"link", ", ".join(links).encode()))
    return fields
