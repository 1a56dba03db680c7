"""The current files of the tables, for whatever tool reads Parquet files by itself.

Asks the catalog and the store for names; reads no file.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from pipeline.analysis import database
from pipeline.storage import catalog
from pipeline.storage.store import TABLES, Store


class CurrentFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A current file.

    Attributes:
        table: that it belongs to.
        path: its path, or its URL on an object store.
        bytes: its size.
        workspace_id: of its rows; None in the quarantine, which is not divided by workspace.
        day: the UTC day of its events; None in other tables.
        month: the UTC month of its cube or actors; None in other tables.
    """

    table: str
    path: str
    bytes: int
    workspace_id: str | None = None
    day: str | None = None
    month: str | None = None


class Selection(NamedTuple):
    """Which files are wanted; of the quarantine, all are.

    Attributes:
        workspaces: their ids; all if there are none.
        first: the first UTC day `YYYY-MM-DD`; of a month that begins earlier, the whole month.
        last: the last UTC day, likewise.
    """

    workspaces: Sequence[str] = ()
    first: str = "0000-01-01"
    last: str = "9999-12-31"


def current_files(store: Store, table: str, wanted: Selection) -> Iterator[CurrentFile]:
    """Yield the current files of `events`, `cube`, `actors` or `quarantine`, in the order of workspaces and days.

    Raises:
        FileNotFoundError: a file has gone, since a run published another one.
    """
    if table == "quarantine":
        for uri in catalog.quarantine_files(store):
            yield CurrentFile(table, store.address(uri), store.size(uri))
    elif table == "events":
        for uri in catalog.files(store, table, wanted.workspaces):
            workspace_id, day = (part.partition("=")[2] for part in uri.split("/")[1:3])
            if uri.endswith("/events.parquet") and wanted.first <= day <= wanted.last:
                yield CurrentFile(table, store.address(uri), store.size(uri), workspace_id, day=day)
    else:
        for workspace_id, months in store.months(wanted.workspaces or store.workspaces()).items():
            for month, files in months.items():
                if wanted.first[:7] <= month <= wanted.last[:7]:
                    uri = getattr(files, table)
                    yield CurrentFile(table, store.address(uri), store.size(uri), workspace_id, month=month)


def write_database(path: Path, store: Store, folder: str, wanted: Selection) -> None:
    """Write a database whose views and macros read the current files and no others.

    Args:
        path: of the database; another one is replaced.
        store: the published files.
        folder: the address of the data folder.
        wanted: which files of events, cube and actors.

    Raises:
        OSError: it cannot be written.
    """
    found = {table: list(current_files(store, table, wanted)) for table in (*TABLES, "quarantine")}
    files = {table: [file.path for file in found[table]] for table in found}
    files["runs"] = [store.address(uri) for uri in catalog.runs_files(store)]
    months = [
        (cube.workspace_id or "", cube.path.removeprefix(f"{folder}/"), actors.path.removeprefix(f"{folder}/"))
        for cube, actors in zip(found["cube"], found["actors"], strict=True)
    ]
    database.build(path, folder, database.Listed(files, months))
