"""Faults to plant into a command, each of which the instruments must find: tests of the tests.

A host calls one of these functions in the process that runs the command. Nothing is restored: the process ends with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.commands import outcome
from pipeline.storage import atomic, commit
from pipeline.storage.state import State
from pipeline.storage.store import Operation, Store


def swallow_renames() -> None:
    """Go on after a rename that failed."""
    apply = Store.apply

    def applied(store: Store, operation: Operation) -> None:
        with suppress(OSError):
            apply(store, operation)

    _replace(Store, "apply", applied)


def swallow_syncs() -> None:
    """Go on after a sync that failed."""
    sync = Store.sync

    def synced(store: Store) -> None:
        with suppress(OSError):
            sync(store)

    _replace(Store, "sync", synced)


def repeat_syncs() -> None:
    """Repeat a sync that failed, in place."""
    sync = Store.sync

    def synced(store: Store) -> None:
        try:
            sync(store)
        except OSError:
            sync(store)

    _replace(Store, "sync", synced)


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


def _replace(owner: Any, name: str, function: Any) -> None:
    setattr(owner, name, function)
