"""What a data folder contains: workspaces, partitions, manifests, orphans, and the files of each table.

Lists the folders of the tables, and is the only module that does; reads no file. Paths (`uri`) are relative to the data
folder, and all lists are sorted.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from pipeline.contract.tables import PUBLISHED, Month, manifest_path
from pipeline.storage.store import Store

TABLES: Final = ("events", "cube", "actors")

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def workspaces(store: Store) -> list[str]:
    """Return every workspace that has a manifest or a folder of any table."""
    folders = (path for table in TABLES for path in store.path(table).glob("workspace_id=*"))
    return sorted({folder.name.partition("=")[2] for folder in folders}.union(published_workspaces(store)))


def published_workspaces(store: Store) -> list[str]:
    """Return every workspace that has a manifest."""
    return sorted(path.stem for path in store.path("manifests").glob("*.json"))


def days(store: Store, workspace_id: str) -> list[str]:
    """Return the UTC days `YYYY-MM-DD` of a workspace's events partitions."""
    folders = store.path(f"events/workspace_id={workspace_id}").glob("day=*")
    return sorted(day for folder in folders if _DAY(day := folder.name.partition("=")[2]))


def files(store: Store, table: str, only: Collection[str] = ()) -> list[str]:
    """Return every file in the partitions of a table, also those that no manifest names, which readers must not count.

    Args:
        store: the data folder.
        table: one of `TABLES`.
        only: the workspaces to include; all if none is given.
    """
    found: list[str] = []
    for folder in sorted(f"workspace_id={workspace_id}" for workspace_id in only) or ["*"]:
        paths = sorted(store.path(table).glob(f"{folder}/*/*"))
        found += [path.relative_to(store.root).as_posix() for path in paths if not path.name.startswith(".")]
    return found


def changed_since(store: Store, instant: int) -> bool:
    """Return whether a file of the tables was published or deleted since an instant, in nanoseconds since 1970."""
    pending = [path for name in (*TABLES, "manifests", "quarantine", "runs") if (path := store.path(name)).exists()]
    while pending:
        folder = pending.pop()
        try:
            if folder.stat().st_mtime_ns >= instant:
                return True
            pending += folder.glob("*=*")  # of workspaces and partitions
        except FileNotFoundError:
            return True
    return False


def quarantine_files(store: Store) -> list[str]:
    """Return every file of the quarantine."""
    return sorted(f"quarantine/{path.name}" for path in store.path("quarantine").glob("*.parquet"))


def runs_files(store: Store) -> list[str]:
    """Return every file of run records, the oldest day first."""
    return sorted(f"runs/{path.name}" for path in store.path("runs").glob("*.jsonl"))


def published(store: Store) -> list[str]:
    """Return every file that a commit published, and every foreign one in its place."""
    found = [uri for table in TABLES for uri in files(store, table)]
    found += [manifest_path(workspace_id) for workspace_id in published_workspaces(store)]
    found += [*quarantine_files(store), *runs_files(store)]
    return [*found, PUBLISHED] if store.exists(PUBLISHED) else found


def named(months: Mapping[str, Month]) -> set[str]:
    """Return the files that a manifest's months name."""
    return {uri for month in months.values() for uri in (month.cube, month.actors)}


def orphans(store: Store, workspace_id: str, kept: Collection[str]) -> list[str]:
    """Return a workspace's files of cube and actors that are not kept, such as leftovers of a lost commit."""
    found = [*files(store, "cube", [workspace_id]), *files(store, "actors", [workspace_id])]
    return sorted(uri for uri in found if uri.endswith(".parquet") and uri not in kept)
