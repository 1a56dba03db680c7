"""A data folder and an object store to which the same things happen."""

import re
from collections.abc import Iterable
from typing import Any

import polars as pl

from pipeline.contract.object_client import Client
from pipeline.contract.settings import Settings
from pipeline.erasure.erase import erase
from pipeline.run import run
from pipeline.storage.opened import open_store, read_ledger
from pipeline.storage.tombstones import Tombstone
from tests.support.data_folder import WORKSPACE, DataFolder, record


class Both:
    """A data folder and an object store to which the same things happen."""

    def __init__(self, folder: DataFolder, client: Client) -> None:
        where = client.location
        environ = {"USAGE_S3_ENDPOINT": where.endpoint}
        self.folder, self.client, self.now = folder, client, folder.now
        self.settings = [folder.settings, Settings.read(environ, data_dir=where.url, workers=1)]

    def drop(self, name: str, records: Iterable[dict[str, Any]], *, bad: int = 0) -> None:
        """Write a raw file, in place of another of its name."""
        path = self.folder.drop(name, records)
        path.write_bytes(path.read_bytes() + b"{}\n" * bad)
        found = self.client.head(f"raw/{name}")
        self.client.replace(f"raw/{name}", path.read_bytes(), found.etag if found else None)

    def drop_several(self) -> None:
        """Write three raw files with events of four workspaces in two months, so that there is work for a cluster."""
        for number in range(3):
            days = [f"2026-{month}-{day:02}" for month in ("10", "11") for day in range(number + 1, number + 4)]
            self.drop(
                f"{number}.jsonl",
                [
                    record(f"e{place}", workspace_id=f"{place % 4}{WORKSPACE[1:]}", timestamp=f"{day}T00:00:00Z")
                    for place, day in enumerate(days * 3)
                ],
                bad=1,
            )

    def run(self, **what: Any) -> None:
        """Load, and compare what the run reports."""
        reports = [run(settings, self.now, **what) for settings in self.settings]
        for name in (
            "files",
            "lines",
            "accepted",
            "duplicates",
            "rejected",
            "blank",
            "reasons",
            "partitions",
            "sequence",
        ):
            assert getattr(reports[0], name) == getattr(reports[1], name), name

    def erase(self, *tombstones: Tombstone) -> None:
        """Erase, and compare what was planned."""
        plans = [erase(settings, self.now, tombstones, dry=False) for settings in self.settings]
        assert plans[0].rerun == plans[1].rerun
        assert plans[0].partitions == plans[1].partitions
        assert (plans[0].lines, plans[0].events.rows) == (plans[1].lines, plans[1].events.rows)

    def compare(self) -> None:
        """Compare all tables, the ledger and the tombstones."""
        said = []
        for settings in self.settings:
            with open_store(settings) as store:
                names = [
                    name for table in ("events/", "cube/", "actors/", "quarantine/") for name in store.names(table)
                ]
                rows = {_without_run(name): pl.read_parquet(store.local(name)).rows() for name in names}
                stones, published = store.tombstones(), store.published()
            entries, unread = read_ledger(settings)
            ledger = {name: (entry.counts, entry.tail, entry.size) for name, entry in entries.items()}
            kept = published and published.first_kept_day
            said.append((rows, stones, ledger, unread, kept))
        assert said[0] == said[1]


def _without_run(name: str) -> str:
    return re.sub(r"/[0-9A-Z]{26}\.parquet$", "/<run>", name)
