"""Take the ids of forgotten users out of the events of others: on their way into the tables, and where they are stored.

Pure functions over the columns `resource_id` and `metadata`. A place is a resource's id, or one spelling in metadata.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.storage import spellings
from pipeline.storage.tombstones import Tombstones
from pipeline.validation.metadata import with_texts

_Rows = TypeVar("_Rows", pa.Table, pa.RecordBatch)
_Change = Callable[[str, set[str]], tuple[str | None, int]]


def redact(rows: _Rows, tombstones: Tombstones) -> tuple[_Rows, int]:
    """Return the rows without the ids of forgotten users, and in how many places those were.

    A resource's id that spells the id of a forgotten user becomes null; in metadata each spelling becomes zeros. This
    is done before versions are compared, so that the tables depend on the set of records and tombstones alone.

    Args:
        rows: have the columns `resource_id` and `metadata` among others.
        tombstones: only those of users matter.
    """
    places = 0
    for name, change in _CHANGES.items():
        number = rows.schema.get_field_index(name)
        column = rows.column(number)
        texts = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        changed, found = _changed(texts, change, tombstones)
        if found:
            rows = rows.set_column(number, rows.schema.field(number), changed)
            places += found
    return rows, places


def _changed(texts: pa.StringArray, change: _Change, tombstones: Tombstones) -> tuple[pa.StringArray, int]:
    """Return the texts, changed if they name a forgotten user, and in how many places they named one."""
    if not tombstones.users:
        return texts, 0
    spelling = pc.match_substring_regex(texts, spellings.SPELLING).fill_null(fill_value=False)
    some = texts.filter(spelling).to_pylist()
    forgotten = {id_ for id_ in spellings.ids(some) if tombstones.has_user(id_)}
    if not forgotten:
        return texts, 0
    results = [(text, 0) if forgotten.isdisjoint(spellings.ids([text])) else change(text, forgotten) for text in some]
    changed = pa.array([text for text, _ in results], pa.string())
    return pc.replace_with_mask(texts, spelling, changed), sum(found for _, found in results)


def _without_resource(_: str, __: set[str]) -> tuple[None, int]:
    return None, 1


def _with_zeros(metadata: str, forgotten: set[str]) -> tuple[str, int]:
    places = 0

    def zeros(text: str) -> str:
        nonlocal places
        changed, found = spellings.replaced(text, forgotten.__contains__)
        places += found
        return changed

    return with_texts(metadata, zeros), places


_CHANGES: Final[dict[str, _Change]] = {"resource_id": _without_resource, "metadata": _with_zeros}
