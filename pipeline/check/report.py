"""The scope and the report of a check: pure data, filled by the other modules of this room."""

from collections.abc import Iterable
from datetime import date
from typing import Final

import msgspec

from pipeline.contract.calendar import DAY_US, utc_day
from pipeline.load.discovery import Waiting
from pipeline.load.results import FileError

# The report quotes at most this many faults per table, but counts all of them.
SHOWN: Final = 5


class Limits(msgspec.Struct, frozen=True):
    """How much is compared at once."""

    group_bytes: int = 32_000_000  # size on disk of the events files in a group
    memory: str = "200MB"  # the limit of an engine


class Scope(msgspec.Struct, frozen=True):
    """The workspaces to check (all if the set is empty), and the first and last UTC day, both included."""

    workspaces: frozenset[str]
    first: date
    last: date

    @classmethod
    def of(cls, now: int, workspaces: Iterable[str], days: int | None) -> "Scope":
        """Return the scope of the last `days` UTC days up to that of `now` (microseconds UTC); of all days if None."""
        first, last = (date.min, date.max) if days is None else (utc_day(now - (days - 1) * DAY_US), utc_day(now))
        return cls(frozenset(workspaces), first, last)

    @property
    def is_everything(self) -> bool:
        """Return whether every workspace and day is in scope."""
        return not self.workspaces and (self.first, self.last) == (date.min, date.max)

    def covers(self, workspace_id: str) -> bool:
        """Return whether a workspace is in scope."""
        return not self.workspaces or workspace_id in self.workspaces

    def covers_month(self, month: str) -> bool:
        """Return whether any day of a UTC month `YYYY-MM` is in scope."""
        return self.first.isoformat()[:7] <= month <= self.last.isoformat()[:7]


class TableResult(msgspec.Struct):
    """How much of one table was checked, and what is wrong with it."""

    rows: int = 0
    files: int = 0
    workspaces: int = 0
    wrong: int = 0  # numbers that differ, for cube and actors; faults, for everything else
    first: list[str] = []  # the first of these, in words

    def fault(self, text: str, wrong: int = 1) -> None:
        """Count a fault, and keep its text if it is one of the first."""
        self.wrong += wrong
        self.quote(text)

    def quote(self, text: str) -> None:
        """Keep a text if it is one of the first; file names in it that are not UTF-8 are escaped."""
        if len(self.first) < SHOWN:
            self.first.append(text.encode(errors="backslashreplace").decode())


class MovedId(msgspec.Struct, frozen=True):
    """An id that occurs on several UTC days of one workspace: its producer moved `timestamp` to another day."""

    workspace_id: str
    id: str
    rows: int
    first_day: str
    last_day: str


class Moved(msgspec.Struct):
    """How many ids moved, and the first of them."""

    ids: int = 0
    first: list[MovedId] = []


class CheckReport(msgspec.Struct):
    """What a check found. `agrees` ignores waiting and unread files, moved ids, problems and notes."""

    agrees: bool = True
    events: TableResult = msgspec.field(default_factory=TableResult)
    manifests: TableResult = msgspec.field(default_factory=TableResult)
    cube: TableResult = msgspec.field(default_factory=TableResult)
    actors: TableResult = msgspec.field(default_factory=TableResult)
    quarantine: TableResult = msgspec.field(default_factory=TableResult)
    ledger: TableResult = msgspec.field(default_factory=TableResult)  # rows are lines, files are raw files
    runs: TableResult = msgspec.field(default_factory=TableResult)  # rows are lines, files are runs
    waiting: Waiting = Waiting(0, 0)
    unread: list[FileError] = []  # raw files that could not be read to their end, and are not accepted
    moved: Moved = msgspec.field(default_factory=Moved)
    replaced: int = 0  # files that runs replaced and deleted before they were read, so that they were not checked
    problems: list[str] = []  # of the directory
    notes: list[str] = []

    def results(self) -> dict[str, TableResult]:
        """Return the result of each table by its name."""
        return {name: value for name in self.__struct_fields__ if isinstance(value := getattr(self, name), TableResult)}
