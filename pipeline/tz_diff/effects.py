"""Find the workspaces whose numbers another release of the zone data changes.

Reads the manifests and the cube of the months in which the start of a day moves. Writes only what the engine spills, to
a temporary folder outside the data folder.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import pyarrow as pa

from pipeline.contract.calendar import QUARTER_US, utc_day
from pipeline.storage.engine import Engine, EngineError
from pipeline.storage.store import Store
from pipeline.tz_diff.changes import Change

_MEMORY_LIMIT: Final = "200MB"
# An open file takes about 200 kB that the memory limit does not cover.
_FILES_AT_ONCE: Final = 600

_MOVED_DAYS: Final = pa.schema(
    [
        ("change", pa.int64()),  # index among the changes
        ("day", pa.date32()),
        ("direction", pa.int64()),  # 1: the day starts earlier and gains the quarters in between; -1: it loses them
        ("first_quarter", pa.timestamp("us")),
        ("end_quarter", pa.timestamp("us")),
    ]
)


class Effect(NamedTuple):
    """What a change does to one workspace if somebody reads it in one of the zones.

    Attributes:
        change: index of the change.
        workspace_id: the workspace.
        credits: how many credits move to another day.
        days: by local day, how many credits it gains (or loses, if negative).
    """

    change: int
    workspace_id: str
    credits: int
    days: dict[str, int]


def effects(store: Store, changes: Sequence[Change], *, files_at_once: int = _FILES_AT_ONCE) -> Iterator[Effect]:
    """Yield what the changes do to each workspace that they affect; most are not affected.

    Args:
        store: the tables.
        changes: the zones whose days move.
        files_at_once: how many files of the cube a statement may open; a single workspace may exceed it.

    Raises:
        DamagedError: a manifest is damaged.
        EngineError: a file of the cube cannot be read.
    """
    names = store.workspaces()
    months = _months(changes)
    with (
        TemporaryDirectory(prefix="usage-") as spill,
        Engine(__package__, Path(spill), threads=os.cpu_count() or 1, memory=_MEMORY_LIMIT) as engine,
    ):
        engine.show("moved_days", _table(changes))
        pending: list[str] = []
        files = 0
        for name in names:
            pending.append(name)
            files += len(_cube_files(store, [name], months))
            if files >= files_at_once:
                yield from _effects(engine, store, pending, months)
                pending, files = [], 0
        yield from _effects(engine, store, pending, months)


def _effects(engine: Engine, store: Store, names: list[str], months: set[str]) -> Iterator[Effect]:
    files = _cube_files(store, names, months)
    while files:
        try:
            rows = engine.fetch("moved_credits", files=files)
        except EngineError:
            # A run may have replaced a file in the meantime; then the manifest names another one.
            before, files = files, _cube_files(store, names, months)
            if files == before:
                raise
        else:
            for change, workspace_id, credits_moved, days in rows:
                yield Effect(change, workspace_id, credits_moved, {day["day"]: day["credits"] for day in days})
            return


def _cube_files(store: Store, names: list[str], months: set[str]) -> list[str]:
    """Return the current cube files of some workspaces and months."""
    return [
        str(store.local(files.cube))
        for stored in store.months(names).values()
        for month, files in stored.items()
        if month in months
    ]


def _months(changes: Sequence[Change]) -> set[str]:
    """Return the UTC months in which the start of a day moves."""
    moved = (day for change in changes for day in change.moved)
    ends = ((min(day.old, day.new), max(day.old, day.new) - QUARTER_US) for day in moved)
    return {utc_day(instant).isoformat()[:7] for end in ends for instant in end}


def _table(changes: Sequence[Change]) -> pa.Table:
    """Return the moved days of all changes, with the columns of `_MOVED_DAYS`."""
    rows: list[tuple[int, date, int, int, int]] = [
        (number, day.day, 1 if day.new < day.old else -1, min(day.old, day.new), max(day.old, day.new))
        for number, change in enumerate(changes)
        for day in change.moved
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(_MOVED_DAYS)
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, _MOVED_DAYS, strict=True)], schema=_MOVED_DAYS
    )
