"""The rows of an Arrow table in another order, piece by piece: a copy of all of them might not fit into memory.

Reads and writes nothing.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# How many rows are reordered at once: more rows need more memory for copies, fewer rows need more calls.
_AHEAD_ROWS: Final = 20_000


class Reordered:
    """The rows of a table in another order, copied piece by piece.

    Args:
        table: may be memory-mapped from files that do not fit into memory.
        positions: the positions of the table's rows, in the wanted order: `(rows,)`.
        ahead_rows: how many rows are reordered at once.
    """

    def __init__(self, table: pa.Table, positions: npt.NDArray[np.int64], ahead_rows: int = _AHEAD_ROWS) -> None:
        self._batches = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        self._ends = np.cumsum([batch.num_rows for batch in self._batches])
        self._positions, self._ahead_rows = positions, ahead_rows
        self._start, self._piece = 0, self._take(positions[:0])

    def rows(self, start: int, stop: int) -> pa.Table:
        """Return the rows from `start` up to, but not including, `stop`, counted in the new order."""
        if not self._start <= start <= stop <= self._start + self._piece.num_rows:
            self._start, self._piece = start, self._take(self._positions[start : max(stop, start + self._ahead_rows)])
        return self._piece.slice(start - self._start, stop - start)

    def _take(self, positions: npt.NDArray[np.int64]) -> pa.Table:
        if len(self._batches) == 1:
            return pa.Table.from_batches([self._batches[0].take(pa.array(positions))])
        places = np.searchsorted(self._ends, positions, side="right")
        order = np.argsort(places, kind="stable")
        pieces = [self._batches[0].slice(0, 0)]
        for place in np.unique(places).tolist():
            batch = self._batches[place]
            inside = positions[order[places[order] == place]] - (self._ends[place] - batch.num_rows)
            pieces.append(batch.take(pa.array(inside)))
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.Table.from_batches([pa.concat_batches(pieces).take(pa.array(back))])
