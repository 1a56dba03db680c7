"""What stands although it is forgotten or expired, found without changing anything.

Reads the folders of the tables, the manifests, the actors, which say on which days a user has events, and the
quarantine. Users and workspaces are told by the hashes of their ids, so that any run can find what is left of them.
"""

import re
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
from pipeline.load.rebuild import known
from pipeline.load.shuffle import of_forgotten
from pipeline.storage.parquet import portions
from pipeline.storage.state import Entry
from pipeline.storage.store import Store
from pipeline.storage.tombstones import Tombstones, hashed

_TABLES: Final = ("events", "cube", "actors")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
# So much is read at once.
_PORTION_BYTES: Final = 32 << 20

_Key = tuple[str, str]  # workspace, and UTC day or month


class Files(msgspec.Struct):
    """Some files of one table: those that go whole, with their rows and bytes, and how many are made anew."""

    rows: int = 0
    files: int = 0
    bytes: int = 0
    rebuilt: int = 0

    def weigh(self, store: Store, uris: Iterable[str]) -> None:
        """Count files that go; one that is damaged goes as well, but its rows are not known."""
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
    """What has to go, and how much that is."""

    partitions: list[_Key] = []  # of events, that go whole
    months: list[_Key] = []  # whose cube and actors go whole
    cut: list[_Key] = []  # of the partitions those in months of which more may stay
    rerun: list[_Key] = []  # UTC days of which some events go
    rejected: list[Part] = []  # raw files of which some rejected lines go
    orphans: list[str] = []  # files of cube and actors that no manifest names
    events: Files = msgspec.field(default_factory=Files)
    cube: Files = msgspec.field(default_factory=Files)
    actors: Files = msgspec.field(default_factory=Files)
    rows_again: int = 0  # events that go on days of which others stay
    lines: int = 0  # rejected ones
    keys: int = 0  # made here

    @property
    def nothing(self) -> bool:
        """Return whether no file has to change."""
        return not (self.partitions or self.months or self.rerun or self.rejected or self.orphans)


def find(
    store: Store, tombstones: Tombstones, entries: Mapping[str, Entry], threads: int, *, thorough: bool = False
) -> ErasurePlan:
    """Return what stands of these tombstones.

    Args:
        store: the data folder.
        tombstones: what is forgotten or expired.
        entries: the ledger by raw file.
        threads: how many files are read at once.
        thorough: whether users are looked for in all events: where a commit was lost half-way, the actors do not know
            of all of them.

    Raises:
        DamagedError: that cannot be told.
    """
    plan = ErasurePlan()
    manifests = {
        workspace_id: store.load(manifest_path(workspace_id), Manifest) or Manifest(workspace_id, "", {})
        for workspace_id in _workspaces(store)
    }
    kept: list[str] = []  # the actors of months that stay
    for workspace_id, manifest in manifests.items():
        days = _days(store, workspace_id) if tombstones.floor or hashed(workspace_id) in tombstones.workspaces else []
        partitions = [(workspace_id, day) for day in days if tombstones.cover(workspace_id, day)]
        # A month goes with its last day, of which no month has a later one, or if of that of the floor no day is left.
        cut = {tombstones.floor[:7]}.difference(day[:7] for day in days if not tombstones.cover(workspace_id, day))
        months = {
            (workspace_id, month)
            for month in manifest.months
            if tombstones.cover(workspace_id, f"{month}-31") or month in cut
        }
        plan.partitions += partitions
        plan.months += sorted(months)
        plan.cut += [
            (workspace_id, day)
            for _, day in partitions
            if day[:7] in manifest.months and (workspace_id, day[:7]) not in months
        ]
        going = [manifest.months[month] for _, month in sorted(months)]
        plan.cube.weigh(store, (files.cube for files in going))
        plan.actors.weigh(store, (files.actors for files in going))
        kept += [files.actors for month, files in manifest.months.items() if (workspace_id, month) not in months]
        plan.orphans += _orphans(store, workspace_id, manifest)
    plan.events.weigh(store, (events_path(*key) for key in plan.partitions))
    if tombstones.users:
        _find_users(tombstones, _all_events(store, threads) if thorough else _actors(store, kept, threads), plan)
    plan.events.rebuilt = len(plan.rerun)
    rebuilt = {(workspace_id, day[:7]) for workspace_id, day in [*plan.rerun, *plan.cut]}
    plan.cube.rebuilt = plan.actors.rebuilt = len(rebuilt)
    for part, lines in rejects.leaving(store, tombstones, entries):
        plan.rejected.append(part)
        plan.lines += lines
    return plan


def _find_users(tombstones: Tombstones, held: Iterable[pa.Table], plan: ErasurePlan) -> None:
    """Find the days on which forgotten users have events: `held` has workspace_id, day, user_id and events."""
    events: Counter[_Key] = Counter()
    for rows in held:
        theirs = rows.filter(pa.array(of_forgotten(rows["user_id"].combine_chunks(), tombstones)))
        for row in theirs.group_by(["workspace_id", "day"]).aggregate([("events", "sum")]).to_pylist():
            key = row["workspace_id"], row["day"].isoformat()
            if not tombstones.cover(*key):
                events[key] += row["events_sum"]
    plan.rerun = sorted(events)
    plan.rows_again = events.total()


def _actors(store: Store, uris: list[str], threads: int) -> Iterator[pa.Table]:
    for _, rows in portions(store, uris, ACTORS, threads, _PORTION_BYTES):
        yield rows


def _all_events(store: Store, threads: int) -> Iterator[pa.Table]:
    uris = [events_path(workspace_id, day) for workspace_id in _workspaces(store) for day in _days(store, workspace_id)]
    uris = [uri for uri in uris if store.exists(uri)]
    columns = pa.schema([EVENTS.field("timestamp"), EVENTS.field("user_id")])
    for _, rows in portions(store, uris, columns, threads, _PORTION_BYTES):
        days = rows["timestamp"].cast(pa.date32(), safe=False)
        counts = pa.array(np.ones(rows.num_rows, np.int64))
        yield rows.set_column(1, "day", days).append_column("events", counts)


def _workspaces(store: Store) -> list[str]:
    """Return every workspace of which anything stands."""
    folders = (path for table in _TABLES for path in store.path(table).glob("workspace_id=*"))
    return sorted({folder.name.partition("=")[2] for folder in folders}.union(known(store)))


def _days(store: Store, workspace_id: str) -> list[str]:
    folders = store.path(f"events/workspace_id={workspace_id}").glob("day=*")
    return sorted(day for folder in folders if _DAY(day := folder.name.partition("=")[2]))


def _orphans(store: Store, workspace_id: str, manifest: Manifest) -> list[str]:
    """Return what a lost commit left behind of cube and actors, and what went in no commit."""
    named = {uri for files in manifest.months.values() for uri in (files.cube, files.actors)}
    paths = (
        path
        for table in ("cube", "actors")
        for path in store.path(f"{table}/workspace_id={workspace_id}").glob("*/*.parquet")
    )
    return sorted({path.relative_to(store.root).as_posix() for path in paths} - named)
