"""What is published: workspaces, partitions, orphans, and the files of each table.

Asks the store for names, and is the only module that does; reads no file. Paths (`uri`) are those of the store, and
all lists are sorted.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from pipeline.contract.tables import PUBLISHED, Month, manifest_path
from pipeline.storage.store import TABLES, Store

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def workspaces(store: Store) -> list[str]:
    """Return every workspace that has published months or a partition of any table."""
    found = (workspace_id for table in TABLES for workspace_id in store.partitions(f"{table}/"))
    return sorted({*found, *store.workspaces()})


def days(store: Store, workspace_id: str) -> list[str]:
    """Return the UTC days `YYYY-MM-DD` of a workspace's events partitions."""
    return [day for day in store.partitions(f"events/workspace_id={workspace_id}/") if _DAY(day)]


def files(store: Store, table: str, only: Collection[str] = ()) -> list[str]:
    """Return every file in the partitions of a table, also those that no manifest names, which readers must not count.

    Args:
        store: the published files.
        table: one of `TABLES`.
        only: the workspaces to include; all if none is given.
    """
    folders = sorted(f"{table}/workspace_id={workspace_id}/" for workspace_id in only) or [f"{table}/"]
    return [uri for folder in folders for uri in store.names(folder)]


def quarantine_files(store: Store) -> list[str]:
    """Return every file of the quarantine."""
    return [uri for uri in store.names("quarantine/") if uri.endswith(".parquet")]


def runs_files(store: Store) -> list[str]:
    """Return every file of run records, the oldest day first."""
    return [uri for uri in store.names("runs/") if uri.endswith(".jsonl")]


def published(store: Store) -> list[str]:
    """Return every file that a commit published, and every foreign one in its place."""
    found = [uri for table in TABLES for uri in files(store, table)]
    found += [manifest_path(workspace_id) for workspace_id in store.workspaces()]
    found += [*quarantine_files(store), *runs_files(store)]
    return [*found, PUBLISHED] if store.exists(PUBLISHED) else found


def named(months: Mapping[str, Month]) -> set[str]:
    """Return the files that a manifest's months name."""
    return {uri for month in months.values() for uri in (month.cube, month.actors)}


def orphans(store: Store, workspace_id: str, kept: Collection[str]) -> list[str]:
    """Return a workspace's files of cube and actors that are not kept, such as leftovers of a lost commit."""
    found = [*files(store, "cube", [workspace_id]), *files(store, "actors", [workspace_id])]
    return sorted(uri for uri in found if uri.endswith(".parquet") and uri not in kept)
