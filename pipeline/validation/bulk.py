"""Validate blocks of lines: approve the good lines in bulk, and hand the others back to be validated one by one.

`new_validator` chooses between two classes with the same methods. `NativeValidator` approves lines with `bulk.c`,
straight into columns, in a fifth of the time of decoding them in Python. It approves only lines that `validate`
approves, with the same row. `PlainValidator` is for an installation without the compiled library: it hands back every
line, so that the rows are the same either way.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.contract.actions import ACTIONS
from pipeline.contract.tables import EVENTS, LANGUAGES, STATUSES
from pipeline.validation import native
from pipeline.validation.native import Library
from pipeline.validation.records import RUN_ACTION, Row
from pipeline.validation.validate import FIRST_INSTANT

ROWS: Final = pa.schema(
    [
        pa.field("workspace_id", pa.string(), nullable=False),
        *EVENTS,
        pa.field("source", pa.int32(), nullable=False),  # where a row's line came from
    ]
)

# No good line is shorter, and few have more languages for their length. Lines that exceed the reserved room are handed
# back.
_ROW_BYTES: Final = 128
_LANGUAGE_BYTES: Final = 16

_Integers = npt.NDArray[np.int64]


class HandedBack(NamedTuple):
    """A line that is left to `validate`."""

    number: int  # in its block, from 0
    line: bytes  # without its newline


class NativeValidator:
    """Collects the rows of blocks of lines, approved by the compiled library."""

    def __init__(self, library: Library, latest: int, capacity: int, actions: tuple[str, ...]) -> None:
        """Reserve memory.

        Args:
            library: the compiled functions.
            latest: the last instant that `timestamp` may have, in microseconds UTC.
            capacity: bytes of lines between two calls of `clear`.
            actions: those that are accepted.
        """
        self._library, self._capacity, self._latest, self._actions = library, capacity, latest, actions
        # Pages that are never written take no memory.
        self._buffer = np.empty(2 * (capacity + native.AHEAD_BYTES), np.uint8)
        self._rows = np.empty(capacity // _ROW_BYTES + 1, native.ROW)
        self._languages = np.empty(capacity // _LANGUAGE_BYTES + native.LANGUAGES_MAX, native.LANGUAGE)
        self.clear()

    def clear(self) -> None:
        """Discard all rows."""
        self._stop = 0
        self._state = native.State(
            buffer=self._buffer.ctypes.data,
            scratch=self._capacity + native.AHEAD_BYTES,
            scratch_stop=2 * self._capacity + native.AHEAD_BYTES,
            rows=self._rows.ctypes.data,
            row_capacity=len(self._rows),
            languages=self._languages.ctypes.data,
            language_capacity=len(self._languages),
            earliest=FIRST_INSTANT,
            latest=self._latest,
            actions=native.texts(self._actions),
            statuses=native.texts(STATUSES),
            run_action=self._actions.index(RUN_ACTION),
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._state.row_count)

    def has_room(self, lines: bytes) -> bool:
        """Return whether the capacity suffices for one more block."""
        return self._stop + len(lines) <= self._capacity

    def add(self, lines: bytes, source: int) -> tuple[int, list[HandedBack]]:
        """Approve a block of lines; return how many lines it has, and those that are handed back.

        Args:
            lines: each ends with a newline. If there is no room for the block, all its lines are handed back.
            source: the number that the rows carry.

        Raises:
            ValueError: the last line does not end with a newline.
        """
        if not self.has_room(lines):
            return _hand_back(lines)
        _require_newline(lines)
        start, self._stop = self._stop, self._stop + len(lines)
        self._buffer[start : self._stop] = np.frombuffer(lines, np.uint8)
        self._state.source = source
        found = np.empty(len(lines), native.HANDED_BACK)  # more than needed: counting the lines first would cost more
        count = self._library.approve(self._state, start, self._stop, found.ctypes.data)
        handed_back = [HandedBack(number, lines[first:stop]) for number, first, stop in found[:count].tolist()]
        return self._state.line_count, handed_back

    def __getitem__(self, column: str) -> pa.Array:
        """Return a column of texts or instants, for all rows."""
        return self._column(column, np.arange(len(self)))

    def take(self, order: _Integers) -> pa.RecordBatch:
        """Return the rows with these numbers, in this order, with the columns of `ROWS`."""
        columns = [self._column(name, order) for name in ROWS.names]
        return pa.RecordBatch.from_arrays(columns, schema=ROWS)

    def _column(self, name: str, order: _Integers) -> pa.Array:
        found = self._rows[name]
        if name in native.TEXTS:
            return self._texts(found, order)
        if name == "languages":
            return self._languages_of(self._rows["first_language"][order], found[order])
        return pa.array(found[order]).view(ROWS.field(name).type)

    def _languages_of(self, firsts: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32]) -> pa.ListArray:
        """Return lists of languages, given the place of the first one in each, `(rows,)`, and its length, `(rows,)`."""
        offsets = _offsets(lengths)
        order = np.arange(offsets[-1]) + np.repeat(firsts - offsets[:-1], lengths)
        found = self._languages
        columns = [self._texts(found["locale"], order), *(pa.array(found[name][order]) for name in native.COUNTS)]
        languages = pa.StructArray.from_arrays(columns, fields=list(LANGUAGES.value_type))
        return pa.ListArray.from_arrays(pa.array(offsets), languages)

    def _texts(self, texts: npt.NDArray[np.void], order: _Integers) -> pa.StringArray:
        sizes = texts["size"][order]
        is_null = sizes < 0
        offsets = _offsets(np.maximum(sizes, 0))
        content = np.empty(offsets[-1], np.uint8)
        self._library.gather(
            *(self._buffer.ctypes.data, texts.ctypes.data, texts.strides[0]),
            *(order.ctypes.data, len(order), content.ctypes.data),
        )
        valid = pa.py_buffer(np.packbits(~is_null, bitorder="little")) if is_null.any() else None
        return pa.StringArray.from_buffers(len(order), pa.py_buffer(offsets), pa.py_buffer(content), valid)


class PlainValidator:
    """Hands back every line: the twin of `NativeValidator` for when there is no library."""

    def clear(self) -> None:
        """Do nothing, as there are no rows."""

    def __len__(self) -> int:
        """Return 0."""
        return 0

    def has_room(self, lines: bytes) -> bool:  # noqa: ARG002 - as in the twin
        """Return true."""
        return True

    def add(self, lines: bytes, source: int) -> tuple[int, list[HandedBack]]:  # noqa: ARG002 - as in the twin
        """Return how many lines a block has, and all of them.

        Raises:
            ValueError: the last line does not end with a newline.
        """
        return _hand_back(lines)

    def __getitem__(self, column: str) -> pa.Array:
        """Return a column of no rows."""
        return batch([], 0)[column]

    def take(self, order: _Integers) -> pa.RecordBatch:
        """Return no rows."""
        return batch([], 0).take(order)


BulkValidator = NativeValidator | PlainValidator


def new_validator(
    latest: int, capacity: int, library: Library | None = native.LIBRARY, actions: tuple[str, ...] = ACTIONS
) -> BulkValidator:
    """Return the native validator if there is a library, else the plain one.

    Args:
        latest: the last instant that `timestamp` may have, in microseconds UTC.
        capacity: bytes of lines that the native validator takes before its rows are taken and cleared.
        library: the compiled functions; None: there are none.
        actions: those that are accepted.
    """
    return PlainValidator() if library is None else NativeValidator(library, latest, capacity, actions)


def batch(rows: Sequence[Row], source: int) -> pa.RecordBatch:
    """Return rows that were validated one by one, with the columns of `ROWS`."""
    columns = [
        pa.array(
            [source] * len(rows)
            if field.name == "source"
            else msgspec.to_builtins([getattr(row, field.name) for row in rows]),
            field.type,
        )
        for field in ROWS
    ]
    return pa.RecordBatch.from_arrays(columns, schema=ROWS)


def _require_newline(lines: bytes) -> None:
    if not lines.endswith(b"\n"):
        raise ValueError("a block of lines ends with a newline")


def _hand_back(lines: bytes) -> tuple[int, list[HandedBack]]:
    _require_newline(lines)
    handed_back = [HandedBack(number, line) for number, line in enumerate(lines[:-1].split(b"\n"))]
    return len(handed_back), handed_back


def _offsets(sizes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return where each of several adjacent values starts, and where the last one ends: `(sizes + 1,)`."""
    return np.concatenate([np.zeros(1, np.int32), np.cumsum(sizes, dtype=np.int32)])
