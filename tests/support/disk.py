"""A disk that loses unsynced changes: it records file operations, and yields what a power cut may leave of them.

A power cut may lose each write, rename and deletion since the last sync independently of the others, and may leave a
written file in part. It never loses what a sync or a transaction of the state has completed.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.storage.folder import FolderStore
from pipeline.storage.state import State
from pipeline.storage.store import Operation

Tree = dict[str, bytes]
_STATE = "state.sqlite"


@dataclass(frozen=True)
class Moment:
    """One moment of a run: the files that a power cut cannot lose, and the changes that it can."""

    before: str  # the next operation
    durable: Tree
    pending: tuple[Operation, ...]
    unsynced: Tree  # files written since the last sync
    state: Tree


@dataclass
class Disk:
    """Records the file operations of one data folder."""

    root: Path
    moments: list[Moment] = field(default_factory=list)
    durable: Tree = field(default_factory=dict)
    pending: list[Operation] = field(default_factory=list)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Record a moment before each operation from now on."""
        self.durable = self._tree()
        sync, apply, clear = FolderStore.sync, FolderStore.apply, FolderStore.clear

        def synced(store: FolderStore) -> None:
            self._note("sync")
            sync(store)
            self.durable, self.pending = self._tree(), []

        def applied(store: FolderStore, operation: Operation) -> None:
            if operation.kind == "sync":
                apply(store, operation)
                return
            self._note(f"{operation.kind} {operation.final}")
            apply(store, operation)
            self.pending.append(operation)

        def cleared(store: FolderStore, folder: str) -> None:
            self._note(f"clear {folder}")
            gone = [path for path in self._tree() if path.startswith(f"{folder}/")]
            clear(store, folder)
            self.pending += [Operation("delete", path) for path in gone]

        monkeypatch.setattr(FolderStore, "sync", synced)
        monkeypatch.setattr(FolderStore, "apply", applied)
        monkeypatch.setattr(FolderStore, "clear", cleared)
        for name in ("begin", "end", "discard_commit"):
            self._watch_state(monkeypatch, name)

    def _watch_state(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        original = getattr(State, name)

        def noted(*arguments: Any, **named: Any) -> Any:
            self._note(name)
            return original(*arguments, **named)

        monkeypatch.setattr(State, name, noted)

    def end(self) -> None:
        """Record the moment after the last operation."""
        self._note("the end")

    def _note(self, what: str) -> None:
        tree = self._tree()
        moved = {operation.final for operation in self.pending}
        unsynced = {path: content for path, content in tree.items() if path not in self.durable and path not in moved}
        state = {
            path.name: path.read_bytes() for path in self.root.glob(f"{_STATE}*") if not path.name.endswith("-shm")
        }
        self.moments.append(Moment(what, self.durable, tuple(self.pending), unsynced, state))

    def _tree(self) -> Tree:
        """Return all files except raw files, the state and the lock."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and path.relative_to(self.root).parts[0] not in {"raw", "run.lock"}
            if not path.name.startswith(_STATE)
        }


def possible_trees(moment: Moment, rng: random.Random) -> Iterator[Tree]:
    """Yield trees that a power cut may leave: all changes, none, one, all but one, and two random selections."""
    count = len(moment.pending)
    masks = [[False] * count, [True] * count]
    for kept in range(count):
        masks.append([number == kept for number in range(count)])
        masks.append([number != kept for number in range(count)])
    masks += [[rng.random() < 0.5 for _ in range(count)] for _ in range(2)]
    for mask in {tuple(mask) for mask in masks}:
        tree = dict(moment.durable)
        for operation, is_kept in zip(moment.pending, mask, strict=True):
            if is_kept and operation.kind == "delete":
                tree.pop(operation.final, None)
            elif is_kept and operation.staged in tree:
                tree[operation.final] = tree.pop(operation.staged)
        for path, content in moment.unsynced.items():
            length = rng.choice([None, 0, len(content) // 2, len(content)])
            if length is not None:
                tree[path] = content[:length]
        yield tree | moment.state


def write_folder(tree: Tree, raw: Path, root: Path) -> None:
    """Write a data folder from a tree, and link the raw files so that they keep their identity."""
    for path, content in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (root / "raw").mkdir()
    for file in raw.iterdir():
        os.link(file, root / "raw" / file.name)
