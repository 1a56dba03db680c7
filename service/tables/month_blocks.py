"""One month of a workspace's tables as arrays in memory.

Reads a cube or an actors file. Sums are kept as running totals, so that whatever lies between two instants is the
difference of two rows. Both wrap around in 64 bits, which leaves every difference exact whose own value fits.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.contract.tables import ACTIONS, MEASURES

Integers = NDArray[np.int64]

LANGUAGE_MEASURES: Final = ("credits", "characters", "corrected", "lines")

# A file that is damaged may hold others, which then are a KeyError.
_NUMBERS: Final[dict[str | None, int]] = {action: number for number, action in enumerate(ACTIONS)}

# A row of strings or a key of a dict, counted once too much rather than too little.
ENTRY_BYTES: Final = 200


class Encoded(NamedTuple):
    """A column of texts: its distinct values, null among them, and each row's place in them."""

    values: tuple[str | None, ...]
    codes: Integers

    def equals(self, value: str) -> NDArray[np.bool_]:
        """Return which rows have a value."""
        rows: NDArray[np.bool_] = self.codes == (self.values.index(value) if value in self.values else -1)
        return rows


class Totals(msgspec.Struct, frozen=True):
    """Running totals of a month: `sums[i]` is everything before `quarters[i]`; one column for each measure."""

    quarters: Integers
    sums: Integers

    @property
    def size_bytes(self) -> int:
        """Return what it takes in memory."""
        return self.quarters.nbytes + self.sums.nbytes

    def before(self, instants: Integers) -> Integers:
        """Return the totals before each instant: one row each."""
        return self.sums[np.searchsorted(self.quarters, instants)]


class LocaleTotals(msgspec.Struct, frozen=True):
    """The same of each locale; rows are ordered by (locale, quarter), and `keys` holds both in one number."""

    locales: tuple[str | None, ...]
    origin: int
    span: int
    keys: Integers
    sums: Integers

    @property
    def size_bytes(self) -> int:
        """Return what it takes in memory."""
        return self.keys.nbytes + self.sums.nbytes + ENTRY_BYTES * len(self.locales)

    def between(self, start: int, end: int) -> Integers:
        """Return what lies in `[start, end)`: one row for each locale."""
        first = np.arange(len(self.locales), dtype=np.int64) * self.span
        lower, upper = (first + min(max(instant - self.origin, 0), self.span - 1) for instant in (start, end))
        return self.sums[np.searchsorted(self.keys, upper)] - self.sums[np.searchsorted(self.keys, lower)]


class Actors(msgspec.Struct, frozen=True):
    """Who did what on which UTC day (days since 1970); rows are ordered by user, `users` says which are whose."""

    users: dict[str, slice]
    actions: NDArray[np.int8]
    days: NDArray[np.int32]
    credits: Integers

    @property
    def size_bytes(self) -> int:
        """Return what it takes in memory."""
        arrays = self.actions.nbytes + self.days.nbytes + self.credits.nbytes
        return arrays + ENTRY_BYTES * len(self.users)

    def days_of(self, action: str | None, user_id: str | None) -> list[int]:
        """Return the days that hold events of an action and a user, None meaning any; in no order, maybe repeated."""
        rows = slice(None) if user_id is None else self.users.get(user_id, slice(0))
        days = self.days[rows]
        if action is not None:
            days = days[self.actions[rows] == _NUMBERS[action]]
        return list(np.unique(days).tolist())

    def credits_of(self, user_id: str) -> list[tuple[int, int]]:
        """Return a user's (day, credits), a day once for each action."""
        rows = self.users.get(user_id, slice(0))
        return list(zip(self.days[rows].tolist(), self.credits[rows].tolist(), strict=True))


def read_totals(path: Path) -> Totals:
    """Read a cube file and add up its locales."""
    table = _read(path, ["quarter", *MEASURES])
    quarters = integers(table, "quarter")
    order = np.argsort(quarters, kind="stable")
    distinct, firsts = np.unique(quarters[order], return_index=True)
    columns = [integers(table, measure)[order] for measure in MEASURES]
    return Totals(distinct, _before(np.append(firsts, len(quarters)), columns))


def read_locale_totals(path: Path) -> LocaleTotals:
    """Read a cube file, keeping its locales apart."""
    table = _read(path, ["quarter", "locale", *LANGUAGE_MEASURES])
    quarters = integers(table, "quarter")
    locales, codes = encoded(table, "locale")
    origin, latest = (int(quarters.min()), int(quarters.max())) if len(quarters) else (0, 0)
    span = latest - origin + 2  # one more than needed, so that an end past the latest quarter stays within its locale
    keys = codes * span + (quarters - origin)
    order = np.argsort(keys, kind="stable")
    columns = [integers(table, measure)[order] for measure in LANGUAGE_MEASURES]
    return LocaleTotals(locales, origin, span, keys[order], _before(np.arange(len(keys) + 1), columns))


def read_actors(path: Path) -> Actors:
    """Read an actors file."""
    table = _read(path, ["user_id", "action", "day", "credits"])
    names, users = encoded(table, "user_id")
    actions, action_codes = encoded(table, "action")
    order = np.argsort(users, kind="stable")
    bounds = np.searchsorted(users[order], np.arange(len(names) + 1)).tolist()
    numbers = np.array([_NUMBERS[action] for action in actions], dtype=np.int8)
    return Actors(
        users={name: slice(*bounds[code : code + 2]) for code, name in enumerate(names) if name is not None},
        actions=numbers[action_codes[order]],
        days=table.column("day").cast(pa.int32()).to_numpy()[order],
        credits=integers(table, "credits")[order],
    )


def _read(path: Path, columns: list[str]) -> Any:
    # Not `read_table`: it would take columns from the names of the folders and look for more files.
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        return file.read(columns, use_threads=False)


def integers(table: Any, name: str) -> Integers:
    """Return a column of numbers or instants."""
    column: Integers = table.column(name).cast(pa.int64()).to_numpy()
    return column


def encoded(table: Any, name: str) -> Encoded:
    """Return a column of texts."""
    column = table.column(name).combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    found = column.dictionary_encode(null_encoding="encode")
    return Encoded(tuple(found.dictionary.to_pylist()), found.indices.cast(pa.int64()).to_numpy())


def _before(places: NDArray[np.intp], columns: Sequence[Integers]) -> Integers:
    """Return the sum of each column before each of the places: a row for each place."""
    sums = np.empty((len(places), len(columns)), dtype=np.int64)
    for number, column in enumerate(columns):  # one by one: rows of all columns take twice as long to put together
        running = np.zeros(len(column) + 1, dtype=np.int64)
        np.cumsum(column, out=running[1:])
        sums[:, number] = running[places]
    return sums
