"""A data folder for tests, loaded by the real pipeline at a fixed instant."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from pipeline.contract.calendar import DAY_US
from pipeline.contract.formats import instant
from pipeline.contract.settings import Settings
from pipeline.load.job import DEFAULT_LIMITS
from pipeline.load.results import RunReport
from pipeline.run import run

NOW = "2026-11-24T12:00:00Z"
WORKSPACE = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
USER = "0b5e1c3a-0000-4000-8000-00000000000a"


class DataFolder:
    """A data folder, and what a producer, a scheduler and an analyst do with it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = Settings.read({}, data_dir=root, workers=1)
        self.now = instant(NOW)
        self.limits = DEFAULT_LIMITS

    def drop(self, name: str, content: bytes | Iterable[dict[str, Any]]) -> Path:
        """Write a raw file from bytes or from records."""
        path = self.root / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, bytes):
            content = b"".join(json.dumps(record).encode() + b"\n" for record in content)
        path.write_bytes(content)
        return path

    def export(self, **rows: Iterable[dict[str, Any]]) -> None:
        """Write files of the directory, such as `accounts`, as the product exports them."""
        for name, objects in rows.items():
            path = self.root / "directory" / f"{name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in objects))

    def export_all(self) -> None:
        """Write a directory with a row in each file."""
        self.export(
            members=[{"workspace_id": WORKSPACE, "user_id": USER, "name": "Ada", "role": "admin", "status": "active"}],
            accounts=[{"user_id": USER}],
            api_keys=[{"id": "k", "key_sha256": "a" * 64, "workspace_id": WORKSPACE, "user_id": USER, "scopes": []}],
        )

    def copy(self, root: Path) -> "DataFolder":
        """Return a copy of the folder, in whose ledger the copied raw files are those already read."""
        shutil.copytree(self.root, root)
        with closing(sqlite3.connect(root / "state.sqlite")) as database, database:
            for (name,) in database.execute("select path from files").fetchall():
                inode = (root / "raw" / name).stat().st_ino
                database.execute(
                    "update files set entry = json_set(entry, '$.inode', ?), checksum = null where path = ?",
                    (inode, name),
                )
            for (name,) in database.execute("select path from unread where failure ->> 'ctime_ns' > 0").fetchall():
                status = (root / "raw" / name).stat()
                database.execute(
                    "update unread set failure = json_set(failure, '$.inode', ?, '$.ctime_ns', ?) where path = ?",
                    (status.st_ino, status.st_ctime_ns, name),
                )
        copied = DataFolder(root)
        copied.now = self.now
        return copied

    def run(self, now: int | None = None, paths: Iterable[Path] = ()) -> RunReport:
        """Run the pipeline."""
        return run(self.settings, self.now if now is None else now, paths, limits=self.limits)

    def events(self) -> pl.DataFrame:
        """Return all events, read by a plain glob as an analyst would."""
        return self._table("events", ["workspace_id", "day", "timestamp", "id"])

    def cube(self) -> pl.DataFrame:
        """Return the cube."""
        return self._table("cube", ["workspace_id", "quarter", "locale"])

    def actors(self) -> pl.DataFrame:
        """Return the actors."""
        return self._table("actors", ["workspace_id", "day", "user_id", "action"])

    def quarantine(self) -> list[dict[str, Any]]:
        """Return the rejected lines, sorted by file and line number."""
        if not list(self.root.glob("quarantine/*.parquet")):
            return []
        frame = pl.read_parquet(self.root / "quarantine/*.parquet")
        return frame.sort("source_file", "line_number").to_dicts()

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return all rows of every table, sorted by its key."""
        return {"events": self.events().to_dicts(), "cube": self.cube().to_dicts(), "actors": self.actors().to_dicts()}

    def _table(self, name: str, keys: list[str]) -> pl.DataFrame:
        files = sorted(self.root.glob(f"{name}/*/*/*.parquet"))
        if not files:
            return pl.DataFrame({key: [] for key in keys})
        return pl.read_parquet(files, hive_partitioning=True, try_parse_hive_dates=False).sort(keys)


Once: TypeAlias = Callable[[Callable[[DataFolder], None]], DataFolder]


def record(id_: str = "e1", **fields: Any) -> dict[str, Any]:
    """Return a good record, with some fields replaced."""
    return {
        "id": id_,
        "workspace_id": WORKSPACE,
        "timestamp": "2026-11-24T10:00:00Z",
        "action": "voice_generated",
        "kind": "text_to_speech",
        "resource": {"type": "voice", "id": "v1", "name": "Nova"},
        **fields,
    }


__all__ = ["DAY_US", "NOW", "USER", "WORKSPACE", "DataFolder", "Once", "record"]
