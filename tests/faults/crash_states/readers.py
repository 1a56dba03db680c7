"""What a reader finds on a disk before anything recovers it: whole files, and each workspace before or after a commit.

Reads nothing from the real disk.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.contract.tables import Manifest
from pipeline.storage.tombstones import TOMBSTONES
from tests.faults.crash_states.contents import Content, Kept, content
from tests.faults.crash_states.history import History, Naming, Node, Resize, Write, apply, copied, paths
from tests.faults.crash_states.models import Disk
from tests.faults.crash_states.order import Order

_READ: Final = (
    *("events/", "cube/", "actors/", "manifests/", "quarantine/", "runs/", "published.json"),
    *("directory/", TOMBSTONES, "usage.duckdb"),
)
Files = Mapping[str, Content]


class WrongError(AssertionError):
    """Raised when a disk is not what a crash may leave, with what is wrong about it."""


def is_read(path: str) -> bool:
    """Return whether readers open a file."""
    return path.startswith(_READ) and not path.rpartition("/")[2].startswith(".")


def views(history: History) -> Iterator[dict[str, Content]]:
    """Yield all files as the command saw them: at first, after every change of a name, and at the end."""
    names, contents = copied(history.names), {node: bytearray(data) for node, data in history.contents.items()}
    known: dict[Node, Content] = {}

    def view() -> dict[str, Content]:
        found = {path: node for path, node in paths(history.root, names) if not node.is_folder}
        for node in found.values():
            if node not in known:
                known[node] = Content(bytes(contents.get(node, b"")))
        return {path: known[node] for path, node in found.items()}

    yield view()
    for step in history.steps:
        if isinstance(step, Write | Resize):
            before = contents.get(step.node, bytearray())
            contents[step.node] = bytearray(content(bytes(before), [step], Kept(frozenset({0}))))
            known.pop(step.node, None)
        elif isinstance(step, Naming):
            for entry in step.entries:
                apply(names, entry)
            yield view()
    yield view()


class Readers:
    """What readers may find.

    Args:
        history: of the command.
        tombstone: what the tombstones must contain as soon as anything is erased; empty: nothing is erased.
    """

    def __init__(self, history: History, tombstone: str) -> None:
        self._tombstone = tombstone.encode()
        self._whole: dict[str, set[bytes]] = defaultdict(set)
        self._credits: dict[str, set[int | None]] = defaultdict(set)
        found = list(views(history))
        self.first, self.last = found[0], found[-1]
        self._order = Order(found)
        manifests: dict[str, bytes | None] = {}
        for files in found:
            for path, file in files.items():
                if is_read(path):
                    self._whole[path].add(file.digest)
            for path in {path for path in (*files, *manifests) if path.startswith("manifests/")}:
                digest = files[path].digest if path in files else None
                if path not in manifests or manifests[path] != digest:
                    if path not in manifests:
                        self._credits[path] |= set() if path in self.first else {None}
                    manifests[path] = digest
                    with suppress(WrongError):  # no disk may be like this
                        self._credits[path].add(_credits(files, path))

    def look(self, disk: Disk, *, ended: bool) -> None:
        """Raise an error unless readers find on a disk what they may find.

        Args:
            disk: that a crash left.
            ended: whether the command had ended.

        Raises:
            WrongError: they find something else.
        """
        for path, file in disk.files.items():
            if is_read(path) and file.digest not in self._whole[path]:
                raise WrongError(f"{path} is not whole")
        for path, allowed in self._credits.items():
            if (found := _credits(disk.files, path)) not in allowed:
                raise WrongError(f"{path} has {found} credits, and never had")
        if violated := self._order.violated(disk.files):
            raise WrongError(violated)
        if self._tombstone and self._tombstone not in disk.files.get(TOMBSTONES, Content(b"")).data:
            read = [path for path in self.first if is_read(path) and path != TOMBSTONES]
            if changed := [path for path in read if disk.files.get(path) != self.first[path]]:
                raise WrongError(f"{changed[0]} was erased without a tombstone")
        if ended:
            self._look_at_end(disk)

    def _look_at_end(self, disk: Disk) -> None:
        for path, file in self.last.items():
            if is_read(path) and disk.files.get(path) != file:
                raise WrongError(f"the command has ended, but {path} is not what it wrote")
        back = [path for path in disk.files if is_read(path) and path in self.first and path not in self.last]
        if self._tombstone and back:
            raise WrongError(f"the erasure has ended, but {back[0]} is back")


def _credits(files: Files, path: str) -> int | None:
    """Return the credits of a workspace by its manifest; None: it has no manifest.

    Raises:
        WrongError: the manifest names a file that does not exist, or the tables differ.
    """
    if path not in files:
        return None
    named = _named(files[path])
    for names in named:
        for name in names:
            if name not in files:
                raise WrongError(f"{path} names {name}, which does not exist")
    cube, actors = (sum(_credits_in(files[name]) for name in names) for names in named)
    if cube != actors:
        raise WrongError(f"the tables that {path} names differ")
    return cube


@cache
def _named(manifest: Content) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files of cube and of actors that a manifest names."""
    months = msgspec.json.decode(manifest.data, type=Manifest).months.values()
    return tuple(month.cube for month in months), tuple(month.actors for month in months)


@cache
def _credits_in(file: Content) -> int:
    return sum(pq.read_table(pa.BufferReader(file.data))["credits"].to_pylist())
