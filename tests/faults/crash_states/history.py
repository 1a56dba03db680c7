"""What a command did to a data folder: its files and folders beforehand, and every change in order.

A file keeps its identity under every name, so changes of names and changes of content are separate steps. Raw files are
left out: no command changes them, and the ledger knows them by their inodes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import trace
from tests.faults.trace import Event

RAW = "raw"


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """A file or a folder, whatever it is called; each is equal to itself alone."""

    is_folder: bool


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes were written into a file at an offset."""

    node: Node
    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    """A file was cut, or made longer with zeros."""

    node: Node
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """From now on a name in a folder leads to a node, or to nothing."""

    folder: Node
    name: str
    node: Node | None
    renamed: bool = False  # one half of a rename


@dataclass(frozen=True, slots=True)
class Naming:
    """Names changed at once: one by a creation or deletion, two by a rename."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Sync:
    """A file, a folder, or everything (None) is on the disk."""

    node: Node | None


Step = Write | Resize | Naming | Sync
Names = dict[Node, dict[str, Node]]


@dataclass
class History:
    """The steps of a command, and the disk that it began with."""

    root: Node
    names: Names  # by folder, before the first step
    contents: dict[Node, bytes]  # by file, before the first step
    steps: list[Step] = field(default_factory=list)

    def moments(self) -> list[int]:
        """Return the numbers of steps after which a crash can leave what it can leave at no other time.

        What can be lost only grows until the next sync, so these are the moments before each sync, and the end.
        """
        return [number for number, step in enumerate(self.steps) if isinstance(step, Sync)] + [len(self.steps)]


class Recorder:
    """Turns the events of a trace into a history.

    Args:
        folder: a data folder, on which no command is at work yet.
    """

    def __init__(self, folder: Path) -> None:
        top = Node(is_folder=True)
        self._names: Names = {top: {}}
        self._nodes: dict[int, Node] = {folder.stat().st_ino: top}
        contents: dict[Node, bytes] = {}
        found = {"": top}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if name.parts[0] == RAW:
                continue
            node = found[str(name)] = self._nodes[path.stat().st_ino] = Node(path.is_dir())
            self._names[found[str(name.parent).removeprefix(".")]][name.name] = node
            if node.is_folder:
                self._names[node] = {}
            else:
                contents[node] = path.read_bytes()
        self.history = History(top, copied(self._names), contents)
        self._sizes = {node: len(data) for node, data in contents.items()}

    def add(self, events: Iterable[Event]) -> None:
        """Add what a command did.

        Raises:
            ValueError: it did something that is not modelled.
        """
        for event in events:
            if not event.failed and event.path.partition("/")[0] != RAW:
                self._add(event)

    def _add(self, event: Event) -> None:
        match event:
            case trace.Write() | trace.Truncate() | trace.Allocate():
                self._change(self._nodes[event.inode], event)
            case trace.SyncFile():
                self.history.steps.append(Sync(self._nodes[event.inode]))
            case trace.SyncAll():
                self.history.steps.append(Sync(None))
            case trace.Create() | trace.MakeFolder():
                node = self._nodes[event.inode] = Node(isinstance(event, trace.MakeFolder))
                self._name((event.path, node))
            case trace.Rename():
                self._name((event.path, None), (event.to, self._nodes[event.inode]))
            case trace.Link():
                self._name((event.to, self._nodes[event.inode]))
            case trace.Unlink() | trace.RemoveFolder():
                self._name((event.path, None))
            case trace.Meta():
                pass
            case trace.Map() if event.path.endswith("-shm"):
                pass  # SQLite makes this index again from its log
            case _:
                raise ValueError(f"not modelled: {event}")

    def _change(self, node: Node, event: trace.Write | trace.Truncate | trace.Allocate) -> None:
        steps, size = self.history.steps, self._sizes.get(node, 0)
        if not isinstance(event, trace.Write):
            if isinstance(event, trace.Truncate) or event.size > size:
                self._sizes[node] = event.size
                steps.append(Resize(node, event.size))
            return
        self._sizes[node] = max(size, event.offset + len(event.data))
        last = steps[-1] if steps else None
        if isinstance(last, Write) and last.node is node and last.offset + len(last.content) == event.offset:
            # One write instead of two: a crash tears either by sectors.
            steps[-1] = Write(node, last.offset, last.content + event.data)
        else:
            steps.append(Write(node, event.offset, event.data))

    def _name(self, *changes: tuple[str, Node | None]) -> None:
        entries = []
        for path, node in changes:
            folder = self.history.root
            *above, name = path.split("/")
            for part in above:
                folder = self._names[folder][part]
            entries.append(Entry(folder, name, node, renamed=len(changes) > 1))
        self.history.steps.append(Naming(tuple(entries)))
        for entry in entries:
            apply(self._names, entry)


def copied(names: Names) -> Names:
    """Return names that can be changed independently."""
    return {folder: dict(entries) for folder, entries in names.items()}


def apply(names: Names, entry: Entry) -> None:
    """Change one name."""
    if entry.node is None:
        names.setdefault(entry.folder, {}).pop(entry.name, None)
    else:
        names.setdefault(entry.folder, {})[entry.name] = entry.node


def paths(root: Node, names: Names) -> Iterator[tuple[str, Node]]:
    """Yield the path and the node of everything that can be reached from a folder."""
    pending = [("", root)]
    while pending:
        above, folder = pending.pop()
        for name, node in names.get(folder, {}).items():
            yield above + name, node
            if node.is_folder:
                pending.append((f"{above}{name}/", node))
