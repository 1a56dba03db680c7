"""Which disks a crash may leave, by three models of file systems.

`ordered`    as ext4 with data=ordered, where blocks are allocated at once: names and sizes change in order, and what
             extends a file is on the disk before its size. What overwrites older content is kept or lost at will.
`delayed`    as ext4, XFS or btrfs with delayed allocation: names change in order, but a file that was not synced has
             none of its new content, the first part of it, or zeros.
`unordered`  as POSIX promises: names change in order within one folder, but each folder is on its own; the content of a
             file is kept in any order and in part. Of a rename into another folder, either half may be lost.

None of them loses what was synced: the content of a file by its fsync, the names in a folder by the folder's fsync,
everything by a sync.
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from tests.faults.crash_states.contents import Content, Kept
from tests.faults.crash_states.history import Names, Node, Resize, apply, copied, paths
from tests.faults.crash_states.moments import Moment

_SEEDS: Final = 16  # ways to tear the writes of a file
_NOTHING: Final = Content(b"")
# What may become of files and folders; on each random disk, each draws one from one of these.
_OVERWRITES: Final = (("whole", "torn"), ("lost", "whole", "torn"), ("lost", "torn"))
_DELAYED: Final = (("empty", "all"), ("all", "all", "torn"), ("empty", "all", "part", "torn", "zeros"))
_UNORDERED: Final = (("all", "lost"), ("all", "all", "all", "part"), ("all", "lost", "part"))


@dataclass(frozen=True)
class Disk:
    """What a crash left.

    Attributes:
        made_by: the model and the moment, for whoever looks for the cause.
        moment: at which the crash came.
        files: content by path.
        folders: their paths.
    """

    made_by: str
    moment: Moment
    files: dict[str, Content]
    folders: list[str]

    @cached_property
    def digest(self) -> int:
        """Return a hash of the whole tree."""
        return hash((frozenset(self.files.items()), frozenset(self.folders)))


def _disk(model: str, moment: Moment, names: Names, kept: Mapping[Node, Kept]) -> Disk:
    files, folders = {}, []
    for path, node in paths(moment.history.root, names):
        if node.is_folder:
            folders.append(path)
        else:
            files[path] = moment.content(node, kept.get(node, Kept()))
    return Disk(f"{model}, after {moment.number} steps", moment, files, folders)


def _whole(moment: Moment, node: Node) -> Kept:
    return Kept(frozenset(range(len(moment.unsynced[node]))))


def ordered(moment: Moment, rng: random.Random) -> Iterator[Disk]:
    """Yield disks without end: first one for every number of names that may be kept, then random ones."""
    metadata = sorted({at for at, _ in moment.namings}.union(moment.sizes))
    cuts = [moment.ordered_names, *(at + 1 for at in metadata if at >= moment.ordered_names)]
    for cut in rng.sample(cuts, len(cuts)):
        for fate in ("lost", "whole"):
            yield _ordered(moment, cut, [fate], rng)
    while True:
        yield _ordered(moment, rng.choice(cuts), rng.choice(_OVERWRITES), rng)


def _ordered(moment: Moment, cut: int, fates: Sequence[str], rng: random.Random) -> Disk:
    """Return a disk with the names and sizes of the first `cut` steps, where each overwrite has one of some fates."""
    kept = {}
    for node, pending in moment.unsynced.items():
        whole, torn, size = set(), set(), len(moment.durable.get(node, _NOTHING).data)
        for place, (at, _) in enumerate(pending):
            if at in moment.sizes:
                fate, size = ("whole", moment.sizes[at]) if at < cut else ("lost", size)
            else:
                fate = rng.choice(fates)
            whole |= {place} if fate == "whole" else set()
            torn |= {place} if fate == "torn" else set()
        kept[node] = Kept(frozenset(whole), frozenset(torn), size, seed=rng.randrange(_SEEDS) if torn else 0)
    return _disk("ordered", moment, moment.names(cut), kept)


def delayed(moment: Moment, rng: random.Random) -> Iterator[Disk]:
    """Yield disks without end: first those where all files have one fate, then random ones."""
    cuts = [moment.ordered_names, *(at + 1 for at, _ in moment.namings if at >= moment.ordered_names)]
    for cut in rng.sample(cuts, len(cuts)):
        for fate in ("empty", "all"):
            yield _delayed(moment, cut, [fate], rng)
    while True:
        yield _delayed(moment, rng.choice(cuts), rng.choice(_DELAYED), rng)


def _delayed(moment: Moment, cut: int, fates: Sequence[str], rng: random.Random) -> Disk:
    """Return a disk with the names of the first `cut` steps, where the content of each file has one of some fates."""
    kept = {}
    for node, pending in moment.unsynced.items():
        fate = rng.choice(fates)
        count = {"empty": 0, "all": len(pending)}.get(fate, rng.randrange(len(pending) + 1))
        torn = {count}.intersection(range(len(pending))) if fate == "torn" else set[int]()
        size = _last_size(moment, node) if fate == "zeros" else None
        kept[node] = Kept(frozenset(range(count)), frozenset(torn), size, seed=rng.randrange(_SEEDS) if torn else 0)
    return _disk("delayed", moment, moment.names(cut), kept)


def _last_size(moment: Moment, node: Node) -> int:
    """Return the size that a file has when all its changes are kept."""
    size = len(moment.durable.get(node, _NOTHING).data)
    for _, change in moment.unsynced[node]:
        size = change.size if isinstance(change, Resize) else max(size, change.offset + len(change.content))
    return size


def unordered(moment: Moment, rng: random.Random) -> Iterator[Disk]:
    """Yield disks without end: first those that kept nothing, everything, and all or none but one; then random ones."""
    nodes = [*moment.unsynced_folders, *moment.unsynced]
    yield _unordered(moment, dict.fromkeys(nodes, "lost"), rng)
    yield _unordered(moment, dict.fromkeys(nodes, "all"), rng)
    for node in rng.sample(nodes, len(nodes)):
        yield _unordered(moment, {**dict.fromkeys(nodes, "all"), node: "lost"}, rng)
        yield _unordered(moment, {**dict.fromkeys(nodes, "lost"), node: "all"}, rng)
    while True:
        fates = rng.choice(_UNORDERED)
        yield _unordered(moment, {node: rng.choice(fates) for node in nodes}, rng)


def _unordered(moment: Moment, fates: Mapping[Node, str], rng: random.Random) -> Disk:
    """Return a disk where the names in a folder, or the content of a file, have these fates."""
    names = copied(moment.history.names)
    for folder, entries in moment.entries.items():
        pending = len(moment.unsynced_folders.get(folder, ()))
        lost = {"all": 0, "lost": pending, "part": rng.randrange(pending + 1)}[fates.get(folder, "all")]
        for _, entry in entries[: len(entries) - lost]:
            apply(names, entry)
    kept = {node: _in_part(moment, node, rng) for node in moment.unsynced if fates[node] == "part"}
    kept |= {node: _whole(moment, node) for node in moment.unsynced if fates[node] == "all"}
    return _disk("unordered", moment, names, kept)


def _in_part(moment: Moment, node: Node, rng: random.Random) -> Kept:
    places: Collection[int] = range(len(moment.unsynced[node]))
    whole = {place for place in places if rng.random() < 0.5}
    torn = {place for place in places if rng.random() < 0.5} - whole
    size = rng.choice([None, _last_size(moment, node)])
    return Kept(frozenset(whole), frozenset(torn), size, rng.random() < 0.5, rng.randrange(_SEEDS))


MODELS: Final = (ordered, delayed, unordered)
