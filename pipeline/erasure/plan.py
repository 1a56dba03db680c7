"""Finds what is stored although it is forgotten or expired, and changes nothing.

Reads the folders of the tables, the manifests, the quarantine, and the actors, which say on which days a user has
events. Tombstones hold the hashes of ids, so that every run can find what they cover.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.contract.tables import ACTORS, EVENTS, Manifest, events_path, manifest_path
from pipeline.erasure import rejects
from pipeline.load.discovery import Part
from pipeline.load.shuffle import of_forgotten
from pipeline.storage import catalog
from pipeline.storage.parquet import portions
from pipeline.storage.state import Entry
from pipeline.storage.store import Store
from pipeline.storage.tombstones import Tombstones, hashed

_PORTION_BYTES: Final = 32 << 20  # of stored rows in memory at once

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
            self.bytes += store.path(uri).stat().st_size
            try:
                self.rows += int(pq.read_metadata(store.path(uri)).num_rows)
            except (OSError, ValueError, pa.ArrowException):
                continue


class ErasurePlan(msgspec.Struct):
    """What is erased, and how much that is."""

    partitions: list[_Key] = []  # days whose events are deleted
    months: list[_Key] = []  # whose cube and actors are deleted
    cut: list[_Key] = []  # those of the partitions whose month keeps other days
    rerun: list[_Key] = []  # days that lose some events: the others are merged again
    rejected: list[Part] = []  # raw files that lose rejected lines
    orphans: list[str] = []  # files of cube and actors that no manifest names
    events: Files = msgspec.field(default_factory=Files)
    cube: Files = msgspec.field(default_factory=Files)
    actors: Files = msgspec.field(default_factory=Files)
    rerun_events: int = 0  # events that the days in `rerun` lose
    lines: int = 0  # rejected lines
    keys: int = 0  # API keys made here
    warnings: list[str] = []  # what else the erasure changes

    @property
    def is_empty(self) -> bool:
        """Return whether no file has to change."""
        return not (self.partitions or self.months or self.rerun or self.rejected or self.orphans)


def make_plan(
    store: Store, tombstones: Tombstones, entries: Mapping[str, Entry], threads: int, *, thorough: bool = False
) -> ErasurePlan:
    """Return what is stored although tombstones cover it.

    Args:
        store: the data folder.
        tombstones: what is forgotten or expired.
        entries: the ledger by raw file.
        threads: how many files are read at once.
        thorough: whether users are looked for in all events: after a commit that was lost half-way, the actors may lack
            some of them.

    Raises:
        DamagedError: a file that the plan needs is not readable.
    """
    plan = ErasurePlan()
    kept_actors: list[str] = []  # of months that stay
    for workspace_id in catalog.workspaces(store):
        manifest = store.load(manifest_path(workspace_id), Manifest) or Manifest(workspace_id, "", {})
        days = catalog.days(store, workspace_id) if _may_cover(tombstones, workspace_id) else []
        covered = [day for day in days if tombstones.cover(workspace_id, day)]
        # A month is deleted with its last possible day; the month of the floor also when no day of it is left.
        emptied = {tombstones.floor[:7]}.difference(day[:7] for day in days if day not in covered)
        months = {
            month: files
            for month, files in sorted(manifest.months.items())
            if tombstones.cover(workspace_id, f"{month}-31") or month in emptied
        }
        plan.partitions += [(workspace_id, day) for day in covered]
        plan.months += [(workspace_id, month) for month in months]
        plan.cut += [(workspace_id, day) for day in covered if day[:7] in manifest.months and day[:7] not in months]
        plan.cube.add_deleted(store, (files.cube for files in months.values()))
        plan.actors.add_deleted(store, (files.actors for files in months.values()))
        kept_actors += [files.actors for month, files in manifest.months.items() if month not in months]
        plan.orphans += catalog.orphans(store, workspace_id, catalog.named(manifest.months))
    plan.events.add_deleted(store, (events_path(*key) for key in plan.partitions))
    if tombstones.users:
        rows = _all_events(store, threads) if thorough else _actors(store, kept_actors, threads)
        _add_users(tombstones, rows, plan)
    plan.events.rewritten = len(plan.rerun)
    plan.cube.rewritten = plan.actors.rewritten = len(
        {(workspace_id, day[:7]) for workspace_id, day in [*plan.rerun, *plan.cut]}
    )
    for part, lines in rejects.affected(store, tombstones, entries):
        plan.rejected.append(part)
        plan.lines += lines
    return plan


def _may_cover(tombstones: Tombstones, workspace_id: str) -> bool:
    """Return whether whole days of a workspace can be covered."""
    return bool(tombstones.floor) or hashed(workspace_id) in tombstones.workspaces


def _add_users(tombstones: Tombstones, tables: Iterable[pa.Table], plan: ErasurePlan) -> None:
    """Add the days on which forgotten users have events.

    Args:
        tombstones: the users.
        tables: with the columns `workspace_id`, `day`, `user_id` and `events`.
        plan: is added to.
    """
    events: Counter[_Key] = Counter()
    for rows in tables:
        forgotten = rows.filter(pa.array(of_forgotten(rows["user_id"].combine_chunks(), tombstones)))
        for row in forgotten.group_by(["workspace_id", "day"]).aggregate([("events", "sum")]).to_pylist():
            key = row["workspace_id"], row["day"].isoformat()
            if not tombstones.cover(*key):
                events[key] += row["events_sum"]
    plan.rerun = sorted(events)
    plan.rerun_events = events.total()


def _actors(store: Store, uris: list[str], threads: int) -> Iterator[pa.Table]:
    """Yield the rows of actors files, with the columns that `_add_users` needs among others."""
    for _, rows in portions(store, uris, ACTORS, threads, _PORTION_BYTES):
        yield rows


def _all_events(store: Store, threads: int) -> Iterator[pa.Table]:
    """Yield a row for each event, with the columns that `_add_users` needs."""
    uris = [
        events_path(workspace_id, day)
        for workspace_id in catalog.workspaces(store)
        for day in catalog.days(store, workspace_id)
    ]
    uris = [uri for uri in uris if store.exists(uri)]
    columns = pa.schema([EVENTS.field("timestamp"), EVENTS.field("user_id")])
    for _, rows in portions(store, uris, columns, threads, _PORTION_BYTES):
        days = rows["timestamp"].cast(pa.date32(), safe=False)
        counts = pa.array(np.ones(rows.num_rows, np.int64))
        yield rows.set_column(1, "day", days).append_column("events", counts)
