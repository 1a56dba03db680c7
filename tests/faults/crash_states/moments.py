"""A moment of a history: which of the changes before it are durable, and which a crash may still lose."""

from collections import defaultdict
from functools import cached_property, lru_cache

from tests.faults.crash_states.contents import Change, Content, Kept, content
from tests.faults.crash_states.history import Entry, History, Names, Naming, Node, Resize, Sync, Write, apply, copied


class Moment:
    """The first steps of a history.

    Args:
        history: of a command.
        number: how many steps were taken.
    """

    def __init__(self, history: History, number: int) -> None:
        self.history, self.number = history, number
        self._syncs: dict[Node | None, int] = {}
        for at, step in enumerate(history.steps[:number]):
            if isinstance(step, Sync):
                self._syncs[step.node] = at
        self.content = lru_cache(256)(self._content)

    def synced(self, node: Node) -> int:
        """Return how many of the first steps a sync of this node, or of everything, covers."""
        return max(self._syncs.get(None, 0), self._syncs.get(node, 0))

    @cached_property
    def namings(self) -> list[tuple[int, Naming]]:
        """Return the steps that change names, each with its number."""
        steps = enumerate(self.history.steps[: self.number])
        return [(at, step) for at, step in steps if isinstance(step, Naming)]

    @cached_property
    def entries(self) -> dict[Node, list[tuple[int, Entry]]]:
        """Return the changes of names by folder, each with the number of its step."""
        found: dict[Node, list[tuple[int, Entry]]] = defaultdict(list)
        for at, naming in self.namings:
            for entry in naming.entries:
                found[entry.folder].append((at, entry))
        return found

    @cached_property
    def changes(self) -> dict[Node, list[tuple[int, Change]]]:
        """Return the steps that change content, by file, each with its number."""
        found: dict[Node, list[tuple[int, Change]]] = defaultdict(list)
        for at, step in enumerate(self.history.steps[: self.number]):
            if isinstance(step, Write | Resize):
                found[step.node].append((at, step))
        return found

    @cached_property
    def sizes(self) -> dict[int, int]:
        """Return the size that a file has after a step, by the numbers of the steps that change a size."""
        found = {}
        for node, changes in self.changes.items():
            size = len(self.history.contents.get(node, b""))
            for at, change in changes:
                after = change.size if isinstance(change, Resize) else max(size, change.offset + len(change.content))
                if after != size:
                    found[at] = size = after
        return found

    def pending(self, node: Node) -> list[tuple[int, Change]]:
        """Return the changes of a file's content that are not durable, each with the number of its step."""
        synced = self.synced(node)
        return [(at, change) for at, change in self.changes.get(node, ()) if at >= synced]

    @cached_property
    def unsynced(self) -> dict[Node, list[tuple[int, Change]]]:
        """Return the changes that are not durable, by file; only files that have some."""
        return {node: pending for node in self.changes if (pending := self.pending(node))}

    @cached_property
    def unsynced_folders(self) -> dict[Node, list[Entry]]:
        """Return the changes of names that are not durable, by folder; only folders that have some."""
        found = {
            folder: [entry for at, entry in entries if at >= self.synced(folder)]
            for folder, entries in self.entries.items()
        }
        return {folder: entries for folder, entries in found.items() if entries}

    @cached_property
    def durable(self) -> dict[Node, Content]:
        """Return the durable content of each file."""
        found = {node: Content(data) for node, data in self.history.contents.items()}
        for node, changes in self.changes.items():
            synced = [change for at, change in changes if at < self.synced(node)]
            before = self.history.contents.get(node, b"")
            found[node] = Content(content(before, synced, Kept(frozenset(range(len(synced))))))
        return found

    def _content(self, node: Node, kept: Kept) -> Content:
        """Return the content of a file of whose pending changes the disk kept some."""
        pending = [change for _, change in self.unsynced.get(node, ())]
        before = self.durable.get(node, Content(b""))
        return Content(content(before.data, pending, kept)) if pending else before

    @cached_property
    def ordered_names(self) -> int:
        """Return how many of the first steps are durable for names and sizes where these are kept in order.

        The sync of a node then covers its own names and sizes, and all that changed before them.
        """
        covered = self._syncs.get(None, 0)
        for at, step in enumerate(self.history.steps[: self.number]):
            if isinstance(step, Naming):
                nodes = {node for entry in step.entries for node in (entry.folder, entry.node)}
            elif at in self.sizes and isinstance(step, Write | Resize):
                nodes = {step.node}
            else:
                continue
            if any(node is not None and at < self._syncs.get(node, 0) for node in nodes):
                covered = max(covered, at + 1)
        return covered

    def names(self, number: int) -> Names:
        """Return all names after the first steps."""
        after: Names = copied(self.history.names)
        for at, naming in self.namings:
            if at >= number:
                break
            for entry in naming.entries:
                apply(after, entry)
        return after
