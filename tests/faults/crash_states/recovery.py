"""Recover a disk: write it to a folder, let the next run have it, and compare the outcome.

Disks are written into the folder in which the command was recorded, beside its raw files, so that these keep their
inodes. Disks that a run cannot tell apart are recovered once.
"""

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline import keys
from pipeline.storage.store import Operation
from pipeline.storage.tombstones import TOMBSTONES
from tests.faults.crash_states.contents import Content
from tests.faults.crash_states.folders import memory, write_disk
from tests.faults.crash_states.models import Disk
from tests.faults.crash_states.readers import Readers, WrongError
from tests.faults.crash_states.scenarios import Scenario
from tests.support.batches import state_of
from tests.support.data_folder import DataFolder
from tests.support.outcome import outcome_of

_STATE: Final = ("state.sqlite", "state.sqlite-wal", "state.sqlite-journal")
_SHORT: Final = 2000  # characters of a report
# What no run opens, or opens as it is.
_IGNORED: Final = ("state.sqlite", "usage.duckdb", ".usage.duckdb", "run.lock", "staging")


class Recovery:
    """Recovers disks of one scenario.

    Args:
        scenario: whose command was recorded.
        folder: in which it was recorded.
        readers: know the files before and after the command.
    """

    def __init__(self, scenario: Scenario, folder: DataFolder, readers: Readers) -> None:
        self._scenario, self._folder = scenario, folder
        self._tombstones = [files.get(TOMBSTONES, Content(b"")).data for files in (readers.first, readers.last)]
        self._states: dict[tuple[bytes, ...], tuple[bytes, frozenset[str]]] = {}
        self._seen: set[bytes] = set()
        self._outcomes: dict[bytes, dict[str, Any]] = {}
        self._readers = readers
        self.count = 0

    @cached_property
    def _undone(self) -> dict[str, Any]:
        return self._recovered(self._readers.first)

    @cached_property
    def _done(self) -> dict[str, Any]:
        return self._recovered(self._readers.last)

    def is_new(self, disk: Disk, *, ended: bool) -> bool:
        """Return whether a run can tell a disk from all earlier ones."""
        return self._key(disk, ended=ended) not in self._seen

    def recover(self, disk: Disk, *, ended: bool) -> None:
        """Raise an error unless the next run recovers a disk; do nothing if it is like an earlier one.

        Raises:
            WrongError: the outcome is wrong.
        """
        key = self._key(disk, ended=ended)
        if key in self._seen:
            return
        self._seen.add(key)
        self.count += 1
        before = disk.files.get(TOMBSTONES, Content(b"")).data
        must = ended or (self._scenario.erases and self._scenario.erases.encode() in before)
        allowed = [self._done] if must else [self._undone, self._done]
        found = self._recovered(disk.files, disk.folders)
        if found not in allowed:
            raise WrongError(f"the next run leaves other {self._difference(found)}")
        if ended and self._report.files:
            raise WrongError("the command has ended, but the next run reads raw files again")
        after = self._tombstones_now()
        if not (after.startswith(self._tombstones[0]) and self._tombstones[1].startswith(after)):
            raise WrongError("the tombstones are not those before, in part or all of those after")
        if any(self._folder.root.glob("staging/*")):
            raise WrongError("the next run leaves staged files")

    def _recovered(self, files: Mapping[str, Content], folders: Iterable[str] = ()) -> dict[str, Any]:
        """Write a disk, run, and return what is compared."""
        write_disk(self._folder.root, files, folders)
        try:
            self._report = self._folder.run()
        except Exception as error:
            raise WrongError(f"the next run fails: {type(error).__name__}: {error}") from error
        held = keys.stored(self._folder.root / "directory")
        more = hashlib.sha256(msgspec.json.encode(held)).digest()
        outcome = outcome_of(self._folder) + more
        if outcome not in self._outcomes:
            try:
                state = state_of(self._folder)
            except AssertionError as error:
                raise WrongError(f"the next run leaves tables that the check refuses: {error}"[:_SHORT]) from error
            named = [str(path.relative_to(self._folder.root)) for path in self._folder.root.glob("events/*/*/*")]
            found = {**state, "keys": sorted(held, key=str), "partitions": sorted(named)}
            self._outcomes[outcome] = {
                name: value for name, value in found.items() if name not in self._scenario.ignores
            }
        return self._outcomes[outcome]

    def _difference(self, found: dict[str, Any]) -> str:
        return ", ".join(name for name, value in found.items() if value != self._done[name])

    def _tombstones_now(self) -> bytes:
        path = self._folder.root / TOMBSTONES
        return path.read_bytes() if path.exists() else b""

    def _key(self, disk: Disk, *, ended: bool) -> bytes:
        """Return a hash of all that the next run can see of a disk."""
        state, staged = self._state(disk.files)
        digest = hashlib.blake2b(state + bytes([ended]))
        for path in sorted(disk.files):
            if not path.startswith(_IGNORED) or path in staged:
                digest.update(path.encode() + b"\0" + disk.files[path].digest)
        for folder in sorted(disk.folders):
            if not folder.startswith("staging"):
                digest.update(folder.encode() + b"\0")
        return digest.digest()

    def _state(self, files: Mapping[str, Content]) -> tuple[bytes, frozenset[str]]:
        """Return a hash of the state as SQLite reads it, and the staged files that its journal names."""
        digests = tuple(files[name].digest if name in files else b"" for name in _STATE)
        if digests not in self._states:
            self._states[digests] = read_state(files)
        return self._states[digests]


def read_state(files: Mapping[str, Content]) -> tuple[bytes, frozenset[str]]:
    """Open a copy of the state, and return a hash of its rows and what its journal names."""
    with tempfile.TemporaryDirectory(dir=memory()) as name:
        for path in _STATE:
            if path in files:
                Path(name, path).write_bytes(files[path].data)
        try:
            with closing(sqlite3.connect(Path(name, _STATE[0]))) as database:
                rows = "\n".join([*database.iterdump(), str(database.execute("pragma user_version").fetchone())])
                is_made = database.execute("select count(*) from sqlite_master where name = 'journal'").fetchone()[0]
                found = database.execute("select operation from journal").fetchall() if is_made else []
        except sqlite3.DatabaseError as error:
            raise WrongError(f"SQLite cannot read the state: {error}") from error
    operations = [msgspec.json.decode(text, type=Operation) for (text,) in found]
    return hashlib.sha256(rows.encode()).digest(), frozenset(operation.staged for operation in operations)
