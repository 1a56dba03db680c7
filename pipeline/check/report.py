"""What a check looks at and what it found: pure data, filled by the other modules of `check`."""

from collections.abc import Iterable
from datetime import date
from typing import Final

import msgspec

from pipeline.contract.calendar import DAY_US, utc_day
from pipeline.load.discovery import Waiting

# The report quotes this many faults of a table; it counts all.
SHOWN: Final = 5


class Limits(msgspec.Struct, frozen=True):
    """How much is compared at once."""

    group_bytes: int = 32_000_000  # of events files, as they are on the disk
    memory: str = "200MB"  # of an engine


class Scope(msgspec.Struct, frozen=True):
    """The workspaces (all, where none is named) and the UTC days, both ends included, that are looked at."""

    workspaces: frozenset[str]
    first: date
    last: date

    @classmethod
    def of(cls, now: int, workspaces: Iterable[str], days: int | None) -> "Scope":
        """Return some workspaces and the last `days` UTC days, that of `now` (microseconds UTC) the last of them."""
        first, last = (date.min, date.max) if days is None else (utc_day(now - (days - 1) * DAY_US), utc_day(now))
        return cls(frozenset(workspaces), first, last)

    def covers(self, workspace_id: str) -> bool:
        """Return whether a workspace is looked at."""
        return not self.workspaces or workspace_id in self.workspaces

    def covers_month(self, month: str) -> bool:
        """Return whether some day of a UTC month `YYYY-MM` is looked at."""
        return self.first.isoformat()[:7] <= month <= self.last.isoformat()[:7]


class TableResult(msgspec.Struct):
    """What was looked at of one table, and what is wrong with it.

    `wrong` counts, of the cube and the actors, the numbers that differ, and of everything else the faults.
    """

    rows: int = 0
    files: int = 0
    workspaces: int = 0
    wrong: int = 0
    first: list[str] = []

    def fault(self, text: str, wrong: int = 1) -> None:
        """Count a fault, and keep its text if it is one of the first."""
        self.wrong += wrong
        self.quote(text)

    def quote(self, text: str) -> None:
        """Keep a text if it is one of the first; a file's name in it may be no UTF-8."""
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
    """What a check found; `agrees` when nothing is wrong. What waits, what moved and the notes are no faults."""

    agrees: bool = True
    events: TableResult = msgspec.field(default_factory=TableResult)
    manifests: TableResult = msgspec.field(default_factory=TableResult)
    cube: TableResult = msgspec.field(default_factory=TableResult)
    actors: TableResult = msgspec.field(default_factory=TableResult)
    quarantine: TableResult = msgspec.field(default_factory=TableResult)
    ledger: TableResult = msgspec.field(default_factory=TableResult)  # rows are lines, files are raw files
    runs: TableResult = msgspec.field(default_factory=TableResult)  # rows are lines, files are runs
    waiting: Waiting = Waiting(0, 0)
    moved: Moved = msgspec.field(default_factory=Moved)
    notes: list[str] = []

    def results(self) -> dict[str, TableResult]:
        """Return the tallies by the name of what they are of."""
        return {name: value for name in self.__struct_fields__ if isinstance(value := getattr(self, name), TableResult)}
