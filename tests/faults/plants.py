"""Faults to plant into a command, each of which the instruments must find: tests of the tests.

A host calls one of these functions in the process that runs the command. Nothing is restored: the process ends with it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.commands import outcome
from pipeline.contract.tables import PUBLISHED
from pipeline.storage import atomic, commit, compose
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import State
from pipeline.storage.store import Operation


def swallow_renames() -> None:
    """Go on after a rename that failed."""
    apply = FolderStore.apply

    def applied(store: FolderStore, operation: Operation) -> None:
        with suppress(OSError):
            apply(store, operation)

    _replace(FolderStore, "apply", applied)


def swallow_syncs() -> None:
    """Go on after a sync that failed."""
    sync = FolderStore.sync

    def synced(store: FolderStore) -> None:
        with suppress(OSError):
            sync(store)

    _replace(FolderStore, "sync", synced)


def repeat_syncs() -> None:
    """Repeat a sync that failed, in place."""
    sync = FolderStore.sync

    def synced(store: FolderStore) -> None:
        try:
            sync(store)
        except OSError:
            sync(store)

    _replace(FolderStore, "sync", synced)


def append_in_place() -> None:
    """Append to a file instead of replacing it, so that a failure leaves half of a line."""

    def append(path: Path, content: bytes, _: Path) -> None:
        with path.open("ab", buffering=0) as file:
            file.write(content[: len(content) // 2])
            file.write(content[len(content) // 2 :])

    _replace(atomic, "append", append)


def lose_the_ledger() -> None:
    """Record files as read before what was read of them is published, and without a journal."""
    begin = State.begin

    def begun(state: State, run: str, _: object, *arguments: Any, **named: Any) -> None:
        begin(state, run, [], *arguments, **named)

    _replace(State, "begin", begun)


def swallow_commits() -> None:
    """Go on after a commit that failed, whatever the reason."""
    original = commit.commit

    def committed(*arguments: Any, **named: Any) -> None:
        with suppress(Exception):
            original(*arguments, **named)

    _replace(commit, "commit", committed)


def say_nothing() -> None:
    """Let errors through to where nobody explains them."""

    @contextmanager
    def through(*_: object) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise KeyError(str(error)) from error

    _replace(outcome, "reporting_failures", through)


def no_sync_before_the_journal() -> None:
    """Leave out the sync before the journal: it may then name staged files whose content is lost."""
    sync, begin = FolderStore.sync, State.begin
    begun: list[bool] = []

    def syncing(store: FolderStore) -> None:
        if begun:
            sync(store)

    def beginning(*arguments: Any, **named: Any) -> None:
        begun.append(True)
        begin(*arguments, **named)

    _replace(FolderStore, "sync", syncing)
    _replace(State, "begin", beginning)


def no_ledger_rows() -> None:
    """Lose the ledger's rows of a commit: the next run reads their raw files again."""
    begin = State.begin

    def beginning(state: State, run: str, operations: Iterable[Operation], _: object, **named: Any) -> None:
        begin(state, run, operations, [], **named)

    _replace(State, "begin", beginning)


def no_journal() -> None:
    """Remove a commit from the journal before it is carried out: the next run does not finish it."""
    begin = State.begin

    def beginning(state: State, *arguments: Any, **named: Any) -> None:
        begin(state, *arguments, **named)
        state.end()

    _replace(State, "begin", beginning)


def manifests_before_tables() -> None:
    """Rename manifests before the files that they name."""
    original = compose.compose

    def composing(*arguments: Any) -> list[Operation]:
        return sorted(original(*arguments), key=lambda operation: not operation.final.startswith("manifests/"))

    _replace(compose, "compose", composing)


def published_before_manifests() -> None:
    """Rename `published.json` before the manifests: readers take the old tables for the new ones."""
    original = compose.compose

    def composing(*arguments: Any) -> list[Operation]:
        return sorted(original(*arguments), key=lambda operation: operation.final != PUBLISHED)

    _replace(compose, "compose", composing)


def no_sync_before_manifests() -> None:
    """Leave out the sync between the tables and the manifests that name them: the disk may have the latter alone."""
    original = compose.compose

    def composing(*arguments: Any) -> list[Operation]:
        operations = original(*arguments)
        operations.remove(Operation("sync"))
        return operations

    _replace(compose, "compose", composing)


def deletes_before_manifests() -> None:
    """Delete files before the manifests that no longer name them are renamed."""
    original = compose.compose

    def composing(*arguments: Any) -> list[Operation]:
        operations = original(*arguments)
        first = operations.index(Operation("sync"))
        deletes = [operation for operation in operations if operation.kind == "delete"]
        rest = [operation for operation in operations[first:] if operation.kind != "delete"]
        return [*operations[:first], *deletes, *rest]

    _replace(compose, "compose", composing)


def no_sync_of_folders() -> None:
    """Leave out the fsync of a folder: a file that was replaced may be the old one again."""
    _replace(atomic, "_sync_folder", lambda _: None)


def _replace(owner: Any, name: str, function: Any) -> None:
    setattr(owner, name, function)
