"""Finds data that are still stored although they are forgotten or expired; changes nothing.

Reads the folders of the tables, the manifests, the quarantine, and of all events the columns that may name a user.
Tombstones hold the hashes of ids, so that every run can find what they cover.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.contract.tables import EVENTS, events_path
from pipeline.erasure import rejects
from pipeline.load.discovery import Part
from pipeline.load.redaction import redact
from pipeline.load.shuffle import of_forgotten
from pipeline.storage import catalog
from pipeline.storage.damage import READING, refuse_shortage
from pipeline.storage.parquet import portions
from pipeline.storage.state import Entry
from pipeline.storage.store import Store
from pipeline.storage.tombstones import Tombstones, hashed

_NAMING: Final = pa.schema([EVENTS.field(name) for name in ("timestamp", "user_id", "resource_id", "metadata")])
_PORTION_BYTES: Final = 32 << 20  # of stored rows in memory at once; a search of each day by itself takes twice as long

_Key = tuple[str, str]  # workspace, and UTC day or month


class Files(msgspec.Struct):
    """Files of one table: those that are deleted, with their rows and bytes, and how many are rewritten."""

    rows: int = 0
    files: int = 0
    bytes: int = 0
    rewritten: int = 0

    def add_deleted(self, store: Store, uris: Iterable[str]) -> None:
        """Count files that are deleted; the rows of a damaged one are unknown."""
        for uri in uris:
            if not store.exists(uri):
                continue
            self.files += 1
            self.bytes += store.size(uri)
            try:
                self.rows += int(pq.read_metadata(store.local(uri)).num_rows)
            except READING as error:
                refuse_shortage(error)
                continue


class ErasurePlan(msgspec.Struct):
    """What is erased, and how much that is."""

    partitions: list[_Key] = []  # days whose events are deleted
    months: list[_Key] = []  # whose cube and actors are deleted
    cut: list[_Key] = []  # those of the partitions whose month keeps other days
    rerun: list[_Key] = []  # days that lose some events, or that name the forgotten: the others are merged again
    rejected: list[Part] = []  # raw files that lose rejected lines
    orphans: list[str] = []  # files of cube and actors that no manifest names
    events: Files = msgspec.field(default_factory=Files)
    cube: Files = msgspec.field(default_factory=Files)
    actors: Files = msgspec.field(default_factory=Files)
    rerun_events: int = 0  # events that the days in `rerun` lose
    places: int = 0  # where the events that stay in these days name the forgotten
    lines: int = 0  # rejected lines
    keys: int = 0  # local API keys
    warnings: list[str] = []  # what else the erasure changes

    @property
    def is_empty(self) -> bool:
        """Return whether no file has to change."""
        return not (self.partitions or self.months or self.rerun or self.rejected or self.orphans)


def make_plan(store: Store, tombstones: Tombstones, entries: Mapping[str, Entry], threads: int) -> ErasurePlan:
    """Return what is stored although tombstones cover it.

    Args:
        store: the data folder.
        tombstones: what is forgotten or expired.
        entries: the ledger by raw file.
        threads: how many files are read at once.

    Raises:
        DamagedError: a file that the plan needs is not readable.
    """
    plan = ErasurePlan()
    kept: list[_Key] = []  # days that may lose events of forgotten users
    workspaces = catalog.workspaces(store)
    stored = store.months(workspaces)
    for workspace_id in workspaces:
        named = stored.get(workspace_id, {})
        days = catalog.days(store, workspace_id) if _may_touch(tombstones, workspace_id) else []
        covered = [day for day in days if tombstones.cover(workspace_id, day)]
        # A month is deleted if its last possible day is covered; the floor's month also if none of its days are left.
        emptied = {tombstones.floor[:7]}.difference(day[:7] for day in days if day not in covered)
        months = {
            month: files
            for month, files in sorted(named.items())
            if tombstones.cover(workspace_id, f"{month}-31") or month in emptied
        }
        plan.partitions += [(workspace_id, day) for day in covered]
        plan.months += [(workspace_id, month) for month in months]
        plan.cut += [(workspace_id, day) for day in covered if day[:7] in named and day[:7] not in months]
        plan.cube.add_deleted(store, (files.cube for files in months.values()))
        plan.actors.add_deleted(store, (files.actors for files in months.values()))
        kept += [(workspace_id, day) for day in days if day not in covered]
        plan.orphans += catalog.orphans(store, workspace_id, catalog.named(named))
    plan.events.add_deleted(store, (events_path(*key) for key in plan.partitions))
    if tombstones.users:
        _add_users(store, tombstones, kept, threads, plan)
    plan.events.rewritten = len(plan.rerun)
    plan.cube.rewritten = plan.actors.rewritten = len(
        {(workspace_id, day[:7]) for workspace_id, day in [*plan.rerun, *plan.cut]}
    )
    for part, lines in rejects.affected(store, tombstones, entries):
        plan.rejected.append(part)
        plan.lines += lines
    return plan


def _may_touch(tombstones: Tombstones, workspace_id: str) -> bool:
    """Return whether days of a workspace may be deleted, or lose events."""
    return bool(tombstones.floor or tombstones.users) or hashed(workspace_id) in tombstones.workspaces


def _add_users(store: Store, tombstones: Tombstones, days: list[_Key], threads: int, plan: ErasurePlan) -> None:
    """Add the days that have events of forgotten users, or events of others that name them.

    The actors would say sooner who has events on which day, but not whom events name, and after a commit that was lost
    half-way they may lack some of them.

    Args:
        store: the data folder.
        tombstones: the users.
        days: the days to look at, in the order in which they are added.
        threads: how many files are read at once.
        plan: is added to.
    """
    stored = [events_path(*key) for key in days if store.exists(events_path(*key))]
    touched: set[_Key] = set()
    for _, rows in portions(store, stored, _NAMING, threads, _PORTION_BYTES):
        theirs = pa.array(of_forgotten(rows["user_id"].combine_chunks(), tombstones))
        others = rows.filter(pc.invert(theirs))
        redacted, places = redact(others, tombstones)
        plan.rerun_events += rows.num_rows - others.num_rows
        plan.places += places
        touched |= _days_of(rows.filter(theirs))
        if places:
            touched |= _days_of(others.filter(_changed(others, redacted)))
    plan.rerun += [key for key in days if key in touched]


def _changed(before: pa.Table, after: pa.Table) -> pa.ChunkedArray:
    """Return whether a row has lost a resource's id or other text: `(rows,)`."""
    changed = [
        pc.and_(pc.is_valid(before[name]), pc.not_equal(before[name], after[name]).fill_null(fill_value=True))
        for name in ("resource_id", "metadata")
    ]
    return pc.or_(*changed)


def _days_of(rows: pa.Table) -> set[_Key]:
    """Return the workspaces and UTC days of some rows."""
    days = pc.strftime(rows["timestamp"], format="%Y-%m-%d")
    return set(zip(rows["workspace_id"].to_pylist(), days.to_pylist(), strict=True))
