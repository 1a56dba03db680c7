"""One month of a workspace's tables as arrays in memory.

Reads a cube or an actors file; writes nothing. Sums are kept as running totals, so that the sum between two instants is
the difference of two rows. Running totals may wrap around in 64 bits; a difference is still exact if it fits itself.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.contract.actions import is_action
from pipeline.contract.tables import MEASURES
from service.tables.source import Readable

Integers = NDArray[np.int64]

LANGUAGE_MEASURES: Final = ("credits", "characters", "corrected", "lines")

# What a string in a list or a key in a dict takes in memory, rather too much than too little.
ENTRY_BYTES: Final = 200


class Encoded(NamedTuple):
    """A dictionary-encoded column of texts: row i has the value `values[codes[i]]`."""

    values: tuple[str | None, ...]  # distinct; null may be one of them
    codes: Integers  # (rows,)

    def equals(self, value: str) -> NDArray[np.bool_]:
        """Return a mask of the rows that have a value."""
        rows: NDArray[np.bool_] = self.codes == (self.values.index(value) if value in self.values else -1)
        return rows


class Totals(msgspec.Struct, frozen=True):
    """Running totals of a month over all locales: `sums[i]` is the sum of everything before `quarters[i]`."""

    quarters: Integers  # (n,): starts of the quarter-hours with any use, ascending, in microseconds UTC
    sums: Integers  # (n + 1, measures); the last row is the month's total

    @property
    def size_bytes(self) -> int:
        """Return how much memory it takes."""
        return self.quarters.nbytes + self.sums.nbytes

    def before(self, instants: Integers) -> Integers:
        """Return the totals before each instant: (instants, measures)."""
        return self.sums[np.searchsorted(self.quarters, instants)]


class LocaleTotals(msgspec.Struct, frozen=True):
    """Running totals of a month, separate for each locale, in the order (locale, quarter).

    Both are combined in one number: a row's key is its locale's position times `span`, plus its quarter minus `origin`.
    """

    locales: tuple[str | None, ...]
    origin: int  # the month's first quarter-hour with any use, in microseconds UTC
    span: int  # from a locale's least key to the next locale's
    keys: Integers  # (n,), ascending
    sums: Integers  # (n + 1, language measures): `sums[i]` is the sum of everything before `keys[i]`

    @property
    def size_bytes(self) -> int:
        """Return how much memory it takes."""
        return self.keys.nbytes + self.sums.nbytes + ENTRY_BYTES * len(self.locales)

    def between(self, start: int, end: int) -> Integers:
        """Return the sums of `[start, end)`: (locales, language measures)."""
        first = np.arange(len(self.locales), dtype=np.int64) * self.span
        lower, upper = (first + min(max(instant - self.origin, 0), self.span - 1) for instant in (start, end))
        return self.sums[np.searchsorted(self.keys, upper)] - self.sums[np.searchsorted(self.keys, lower)]


class Actors(msgspec.Struct, frozen=True):
    """The actors table of a month: a row is one (user, action, UTC day), ordered by user. The arrays are (rows,)."""

    users: dict[str, slice]  # each user's rows; those of system events belong to nobody
    action_names: tuple[str | None, ...]
    actions: NDArray[np.int32]  # positions in `action_names`
    days: NDArray[np.int32]  # since 1970-01-01
    credits: Integers

    @property
    def size_bytes(self) -> int:
        """Return how much memory it takes."""
        arrays = self.actions.nbytes + self.days.nbytes + self.credits.nbytes
        return arrays + ENTRY_BYTES * (len(self.users) + len(self.action_names))

    def days_of(self, action: str | None, user_id: str | None) -> list[int]:
        """Return the days with events of an action and a user, where None means any."""
        rows = slice(None) if user_id is None else self.users.get(user_id, slice(0))
        days = self.days[rows]
        if action is not None:
            code = self.action_names.index(action) if action in self.action_names else -1
            days = days[self.actions[rows] == code]
        return list(np.unique(days).tolist())

    def credits_of(self, user_id: str) -> list[tuple[int, int]]:
        """Return a user's (day, credits); a day occurs once per action."""
        rows = self.users.get(user_id, slice(0))
        return list(zip(self.days[rows].tolist(), self.credits[rows].tolist(), strict=True))


def read_totals(source: Readable) -> Totals:
    """Read a cube file and add up the locales."""
    table = _read(source, ["quarter", *MEASURES])
    quarters = integers(table, "quarter")
    order = np.argsort(quarters, kind="stable")
    distinct, firsts = np.unique(quarters[order], return_index=True)
    columns = [integers(table, measure)[order] for measure in MEASURES]
    return Totals(distinct, _sums_before(np.append(firsts, len(quarters)), columns))


def read_locale_totals(source: Readable) -> LocaleTotals:
    """Read a cube file and keep the locales apart."""
    table = _read(source, ["quarter", "locale", *LANGUAGE_MEASURES])
    quarters = integers(table, "quarter")
    locales, codes = encoded(table, "locale")
    origin, latest = (int(quarters.min()), int(quarters.max())) if len(quarters) else (0, 0)
    span = latest - origin + 2  # one more than needed, so that an end after the last quarter stays in its locale
    keys = codes * span + (quarters - origin)
    order = np.argsort(keys, kind="stable")
    columns = [integers(table, measure)[order] for measure in LANGUAGE_MEASURES]
    return LocaleTotals(locales, origin, span, keys[order], _sums_before(np.arange(len(keys) + 1), columns))


def read_actors(source: Readable) -> Actors:
    """Read an actors file."""
    table = _read(source, ["user_id", "action", "day", "credits"])
    names, users = encoded(table, "user_id")
    actions, action_codes = encoded(table, "action")
    if not all(is_action(action or "") for action in actions):  # also one that runs no longer accept
        raise KeyError("action")  # a damaged file
    order = np.argsort(users, kind="stable")
    bounds = np.searchsorted(users[order], np.arange(len(names) + 1)).tolist()
    return Actors(
        users={name: slice(*bounds[k : k + 2]) for k, name in enumerate(names) if name is not None},
        action_names=actions,
        actions=action_codes[order].astype(np.int32),
        days=table.column("day").cast(pa.int32()).to_numpy()[order],
        credits=integers(table, "credits")[order],
    )


def _read(source: Readable, columns: list[str]) -> Any:
    # Not `read_table`, which would derive columns from the folders' names and look for more files.
    with pq.ParquetFile(source, page_checksum_verification=True) as file:
        return file.read(columns, use_threads=False)


def integers(table: Any, name: str) -> Integers:
    """Return a column of integers or instants: (rows,)."""
    column: Integers = table.column(name).cast(pa.int64()).to_numpy()
    return column


def encoded(table: Any, name: str) -> Encoded:
    """Return a column of texts, dictionary-encoded."""
    column = table.column(name).combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    found = column.dictionary_encode(null_encoding="encode")
    return Encoded(tuple(found.dictionary.to_pylist()), found.indices.cast(pa.int64()).to_numpy())


def _sums_before(positions: NDArray[np.intp], columns: Sequence[Integers]) -> Integers:
    """Return the sum of each column before each position: (positions, columns)."""
    sums = np.empty((len(positions), len(columns)), dtype=np.int64)
    for number, column in enumerate(columns):  # one by one: assembling whole rows takes twice as long
        running = np.zeros(len(column) + 1, dtype=np.int64)
        np.cumsum(column, out=running[1:])
        sums[:, number] = running[positions]
    return sums
