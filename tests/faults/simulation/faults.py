"""Faults of a command that runs in this process: kills, power cuts, a full disk, a file that cannot be read.

A command does its work by some operations, which are counted. At one of them the fault begins. A killed command changes
nothing from then on, whatever its `finally` blocks try; what it has written stays, or after a power cut a part of it.
"""

import errno
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from ulid_transform import ulid_at_time

from pipeline.load import lines, piece, read, session
from tests.support.disk import Disk, possible_trees
from tests.support.victim import OPERATIONS

Kind = Literal["none", "kill before", "kill after", "power cut", "full disk", "unreadable file", "visit"]
_IN_THE_STATE: Final = {"begin", "end", "discard_commit", "settle", "carry_out"}
_WITHOUT_SPACE: Final = {"sync", "apply", "clear"}  # operations that a full disk does not stop


class Killed(BaseException):
    """Raised where a command is killed, so that no handler of errors stops it."""


@dataclass(frozen=True)
class Fault:
    """What happens to a command, and at which of its operations."""

    kind: Kind = "none"
    at: int = 0
    choice: int = 0  # of the possible disks after a power cut, or of the file that cannot be read

    def __repr__(self) -> str:
        return f"Fault({self.kind!r}, {self.at}, {self.choice})"


NONE: Final = Fault()


class Operations:
    """The operations of commands in this process, and the fault at one of them.

    Args:
        patch: takes the changes back in the end.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._number = 0
        self._is_dead = False
        self._fault = NONE
        self._visit: Callable[[int, str], None] = _nothing
        self._at_death: Callable[[], None] = lambda: None
        for owner, names in OPERATIONS.items():
            for name in names:
                patch.setattr(owner, name, self._counted(name, getattr(owner, name)))
        self._rng = random.Random(0)
        patch.setattr(session, "ulid_at_time", self._ulid)
        patch.setattr(piece, "token_hex", lambda size: self._rng.randbytes(size).hex())

    def begin(self, seed: int) -> None:
        """Let the ids of runs and the names of attempts follow from a seed."""
        self._rng.seed(seed)

    def _ulid(self, seconds: float) -> str:
        return ulid_at_time(seconds)[:10] + "".join(self._rng.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=16))

    @contextmanager
    def disturbed(
        self, fault: Fault, root: Path, visit: Callable[[int, str], None] = lambda _, __: None
    ) -> Iterator[None]:
        """Let a fault happen to the command in the block.

        Args:
            fault: which one, and when.
            root: the data folder.
            visit: called before each operation with its number and name, by the fault of that name.

        Raises:
            Killed: the command was killed.
        """
        self._number, self._is_dead, self._fault, self._visit = 0, False, fault, visit
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(root)
            if fault.kind == "power cut":
                disk.watch(patch)
                self._at_death = disk.end
            if fault.kind == "unreadable file":
                _make_unreadable(patch, root, fault.choice)
            try:
                yield
            except Killed:
                if fault.kind == "power cut":
                    moment = next(found for found in disk.moments if found.before == "the end")
                    trees = list(possible_trees(moment, random.Random(fault.choice)))
                    _put_back(trees[fault.choice % len(trees)], root)
                raise
            finally:
                self._fault, self._is_dead, self._at_death = NONE, False, lambda: None

    def _counted(self, name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **named: Any) -> Any:
            if self._is_dead:
                raise Killed
            self._number += 1
            kind, is_time = self._fault.kind, self._number == self._fault.at
            if kind == "visit":
                self._visit(self._number, name)
            if kind == "full disk" and self._number >= self._fault.at and name not in _WITHOUT_SPACE:
                if name in _IN_THE_STATE:
                    raise sqlite3.OperationalError("database or disk is full")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if is_time and kind in {"kill before", "power cut"}:
                self._die()
            result = operation(*arguments, **named)
            if is_time and kind == "kill after":
                self._die()
            return result

        return counting

    def _die(self) -> None:
        self._at_death()
        self._is_dead = True
        raise Killed


def broken_file(root: Path, choice: int) -> str:
    """Return the name of the raw file that the fault of that kind makes unreadable; empty if there is none."""
    names = sorted(path.name for path in (root / "raw").iterdir() if path.exists())
    return names[choice % len(names)] if names else ""


def _make_unreadable(patch: pytest.MonkeyPatch, root: Path, choice: int) -> None:
    bad, blocks = str(root / "raw" / broken_file(root, choice)), lines.blocks

    def failing(file: Any, *rest: Any) -> Any:
        if file.name == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return blocks(file, *rest)

    patch.setattr(read, "blocks", failing)


def _put_back(tree: dict[str, bytes], root: Path) -> None:
    """Replace everything in a data folder that a power cut can take, which raw files and synced small files are not."""
    for path in list(root.iterdir()):
        if path.name in {"raw", "directory", "tombstones.jsonl", "run.lock"}:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for name, content in tree.items():
        path = root / name
        if name.split("/")[0] not in {"directory", "tombstones.jsonl"}:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _nothing(_: int, __: str) -> None:
    pass
