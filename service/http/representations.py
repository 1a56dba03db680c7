"""The forms of one answer: JSON or CSV, compressed or not, each made when it is first asked for and then kept.

Every form is made from the JSON alone, so it is kept under the digest of the JSON. Only JSON has `meta`; for CSV, the
response headers carry the parts of it that matter.
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
from service.api.parameters import FeedParameters
from service.http import compression
from service.http.cache import AnswerCache, CachedAnswer, form_digest
from service.http.exchange import JSON
from service.http.negotiation import Preference

Fields = list[tuple[bytes, bytes]]

_CSV: Final = (b"content-type", b"text/csv; charset=utf-8")
_GZIP: Final = (b"content-encoding", b"gzip")
_COMPRESSED_FROM_BYTES: Final = 1024  # a smaller body fits into one packet anyway
# What a link to another page takes from the request: unknown parameters have no effect, and no bound.
_FIRST_PAGE: Final = {rule.name for rule in FeedParameters.rules} - {"cursor"}


class Form(NamedTuple):
    """The form in which one client gets one answer."""

    answer: CachedAnswer
    csv_table: CsvTable | None  # None for JSON
    gzip: bool
    digest: bytes  # the same compressed or not, because the entity tag is weak


class _Paginated(msgspec.Struct, frozen=True):
    pagination: Pagination | None = None


def choose(answer: CachedAnswer, available: Sequence[CsvTable], preference: Preference, query_string: bytes) -> Form:
    """Return the form that a client prefers.

    Args:
        answer: as JSON.
        available: the CSV tables of the endpoint; if there are two, the second is for requests that name a view.
        preference: of the client.
        query_string: as received.
    """
    if not (preference.csv and available):
        return Form(answer, None, preference.gzip, answer.digest)
    names_view = "activity_view" in query.parse(query_string, {"activity_view"})[0]
    csv_table = available[-1 if names_view else 0]
    return Form(answer, csv_table, preference.gzip, form_digest(answer.digest, csv_table.columns))


def write(form: Form, meta: Meta, path: str, query_string: bytes, answers: AnswerCache) -> tuple[Fields, bytes]:
    """Return the headers that describe a form, and its body.

    Args:
        form: what the client prefers.
        meta: of the request.
        path: of the request as its client sees it, for links to other pages.
        query_string: as received, likewise.
        answers: keeps the parts of a body that are the same for every request.
    """
    if form.csv_table is None:
        fields, body, rest = [JSON], form.answer.data[:-1], b',"meta":%b}' % msgspec.json.encode(meta)
    else:
        known = answers.get(form.digest) or answers.put(
            form.digest, csv_tables.write(form.csv_table, form.answer.data), form.digest
        )
        fields, body, rest = _describe(form.csv_table, form.answer.data, meta, path, query_string), known.data, b""
    if not form.gzip or len(body) < _COMPRESSED_FROM_BYTES:
        return fields, body + rest
    key = (form.digest, "gzip")
    begun = answers.get(key) or answers.put(key, compression.begin(body), form.digest)
    return [*fields, _GZIP], compression.end(begun.data, rest)


def _describe(csv_table: CsvTable, data: bytes, meta: Meta, path: str, query_string: bytes) -> Fields:
    """Return the headers of CSV, from the JSON of the same answer."""
    fields = [_CSV, (b"content-disposition", b'attachment; filename="%b.csv"' % csv_table.name.encode())]
    if meta.data_as_of:
        fields.append((b"x-data-as-of", meta.data_as_of.encode()))
    pagination = msgspec.json.decode(data, type=_Paginated).pagination
    if pagination:
        others = query.only(query_string, _FIRST_PAGE)
        links = [
            f'<{quote(path)}?{"&".join([*others, f"cursor={cursor}"])}>; rel="{relation}"'
            for relation, cursor in (("next", pagination.next), ("prev", pagination.prev))
            if cursor
        ]
        if links:
            fields.append((b"link", ", ".join(links).encode()))
    return fields
