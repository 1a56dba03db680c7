"""Deals the UTC months of workspaces out to groups, each of which is rolled up by one piece of work.

The group of a month follows from its name, so that a merge can write the rows of each group into a file of its own
before anybody knows all months. Reads and writes nothing.
"""

import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from pipeline.load.job import Limits

_BUCKETS: Final = 4  # whose rows are rolled up at once


def number_of_groups(buckets: int, rows_bytes: int, days: int, workers: int, limits: Limits) -> int:
    """Return how many groups there are: enough for all workers, but none for a few rows, and none too large.

    Args:
        buckets: that are merged.
        rows_bytes: of the validated rows in all buckets.
        days: that are merged again.
        workers: how many pieces run at once.
        limits: how much is worth a group.
    """
    worth = rows_bytes // limits.group_rows_bytes + days // limits.group_days
    return max(1, min(workers, worth), buckets // _BUCKETS)


def group_of(workspace_id: str, month: str, groups: int) -> int:
    """Return the group of a month `YYYY-MM` of a workspace."""
    return zlib.crc32(f"{workspace_id}/{month}".encode()) % groups


def dealt(rows: pa.Table, instants: str, groups: int) -> Iterator[tuple[int, pa.Table]]:
    """Yield the rows of each group that has some, in their order.

    Args:
        rows: have a column `workspace_id`.
        instants: their column of dates or instants.
        groups: how many groups there are.
    """
    if groups == 1 or not rows.num_rows:
        if rows.num_rows:
            yield 0, rows
        return
    names = rows["workspace_id"].combine_chunks().dictionary_encode()
    months = np.asarray(rows[instants]).astype("datetime64[M]").astype(np.int64)
    first, span = int(months.min()), int(np.ptp(months)) + 1
    keys, places = np.unique(np.asarray(names.indices) * span + months - first, return_inverse=True)
    texts = names.dictionary.to_pylist()
    found = [group_of(texts[key // span], str(np.datetime64(key % span + first, "M")), groups) for key in keys.tolist()]
    of_rows = np.array(found, np.int64)[places]
    sorted_ = rows.take(pa.array(np.argsort(of_rows, kind="stable")))
    end = 0
    for group, size in zip(*map(np.ndarray.tolist, np.unique(of_rows, return_counts=True)), strict=True):
        start, end = end, end + size
        yield group, sorted_.slice(start, size)
