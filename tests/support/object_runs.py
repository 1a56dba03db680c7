"""Toy runs on an object store in memory, and an account of all that was ever committed there.

A run reads the raw objects that the ledger lacks. Each holds some numbers of a workspace and day; the events of a day
are the list of its numbers, and the cube of a month is how many there are. So whatever is lost, read twice, or mixed
from two commits shows.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.contract.layout import IndexShard, LayoutError, StoredFile, decode_root
from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import OvertakenError, UnavailableError
from pipeline.contract.object_names import ROOT, object_key, object_name, shard_of
from pipeline.contract.tables import Published, cube_path, events_path
from pipeline.storage.objects.commit import RootChanges, commit, new_token
from pipeline.storage.objects.ledger import RawObject
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.objects.sweep import GRACE
from tests.support.fake_obstore import FakeObstore, Fault, Killed

SECOND: Final = 1_000_000  # microseconds

# What strikes a request: a fault, something else that happens before it, or a fault and what happens before the next.
Happening = Callable[[], object]
Struck = Fault | Happening | tuple[Fault, Happening]
Numbers = dict[tuple[str, str], list[int]]  # by workspace and day


class Raw(NamedTuple):
    """A raw object: the numbers of one workspace and day."""

    workspace_id: str
    day: str
    numbers: list[int]


class Effect(NamedTuple):
    """What a run does if it is committed: the raw objects that it reads, and the partition that it removes."""

    raw: list[str]
    removed: tuple[str, str] | None = None


class Named(NamedTuple):
    """A root that was stored: of which run, which objects it names, and until when it was the current one."""

    run: str
    keys: set[str]
    until: int | None = None


class World:
    """The store, its clock, all raw objects, and the roots that were ever stored, in this order."""

    def __init__(self) -> None:
        self.seconds = 1_000_000
        self.raw: dict[str, Raw] = {}
        self.effects: dict[str, Effect] = {}
        self.roots: list[Named] = []
        self.outcomes: dict[str, str] = {}
        self.released: set[str] = set()  # superseded objects that were to be deleted without the grace
        self.store = FakeObstore(lambda: self.seconds)
        self.store.when_put, self.store.when_deleted = self._put, self._deleted
        self.client = Client(Location("bucket"), api=self.store, pause=lambda _: None)
        self._looking = Client(Location("bucket"), api=_Unfaulty(self.store))

    def deliver(self, workspace_id: str, day: str) -> None:
        """Add a raw object with two new numbers."""
        first = 2 * len(self.raw)
        self.raw[f"{len(self.raw)}.jsonl"] = Raw(workspace_id, day, [first, first + 1])

    def with_faults(self, faults: Iterable[Struck], function: Callable[[], Any]) -> Any:
        """Call a function, during whose requests faults occur or something else happens.

        Args:
            faults: what strikes the first flip of the root, and then the other requests from the first one on.
            function: it.
        """
        at_flip, *planned = faults

        def fault(method: str, key: str) -> Fault:
            nonlocal at_flip
            if method == "put" and key == ROOT:
                found, at_flip = at_flip, ""
            else:
                found = planned.pop(0) if planned else ""
            if isinstance(found, tuple):  # what comes next strikes the next request
                planned.insert(0, found[1])
                return found[0]
            if callable(found):
                before, self.store.fault = self.store.fault, lambda *_: ""
                found()
                self.store.fault = before
                return ""
            is_read = method in {"get", "head"} and not found.startswith("killed")
            return "" if is_read else found  # the library repeats what only reads

        self.store.fault = fault
        try:
            return function()
        finally:
            self.store.fault = lambda *_: ""

    def check(self) -> None:
        """Compare what is published with the runs that were committed, and with what became of each."""
        runs = [root.run for root in self.roots]
        assert len(runs) == len(set(runs)), "a run was committed twice"
        for run, outcome in self.outcomes.items():
            assert (run in runs) == (outcome == "committed") or outcome == "unknown", f"{run}: {outcome}"
        expected, read = self._expected()
        snapshot = Snapshot.read(self.client)
        assert set(snapshot.raw_objects()) == read, "the ledger is not that of the committed runs"
        found = {path: json.loads(snapshot.read_file(path) or b"") for path, _ in snapshot.files()}
        events = {events_path(*partition): numbers for partition, numbers in expected.items()}
        assert {path: numbers for path, numbers in found.items() if path.startswith("events/")} == events
        counts: dict[tuple[str, str], int] = {}
        for (workspace_id, day), numbers in expected.items():
            counts[workspace_id, day[:7]] = counts.get((workspace_id, day[:7]), 0) + len(numbers)
        cubes = {path.rpartition("/")[0]: count for path, count in found.items() if path.startswith("cube/")}
        assert cubes == {cube_path(*month, "").rpartition("/")[0]: count for month, count in counts.items()}
        for file, _ in snapshot.superseded():
            snapshot.superseded_keys(file)

    def _expected(self) -> tuple[Numbers, set[str]]:
        expected: Numbers = {}
        read: set[str] = set()
        for effect in (self.effects[root.run] for root in self.roots):
            read.update(effect.raw)
            for raw in map(self.raw.__getitem__, effect.raw):
                expected.setdefault((raw.workspace_id, raw.day), []).extend(raw.numbers)
            if effect.removed:
                expected.pop(effect.removed, None)
        return expected, read

    def _put(self, key: str) -> None:
        if key != ROOT:
            return
        if self.roots:
            self.roots[-1] = self.roots[-1]._replace(until=self.seconds)
        root = decode_root(self.store.objects[ROOT].content)
        snapshot = Snapshot(self._looking, root)
        keys = root.keys() | {object_key(path, file.name) for path, file in snapshot.files()}
        self.roots.append(Named(root.recent[-1], keys))
        assert keys <= self.store.objects.keys(), "the root names objects that do not exist"

    def _deleted(self, key: str) -> None:
        for root in self.roots:
            is_current = root.until is None
            has_grace = key not in self.released and (root.until or 0) + GRACE // SECOND > self.seconds
            assert key not in root.keys or not (is_current or has_grace), f"{key} is still needed"


class _Unfaulty:
    """The store as it is, for whoever only looks."""

    def __init__(self, store: FakeObstore) -> None:
        self._store, self.store = store, store.store

    def get(self, _: object, path: str, *, options: Any = None) -> Any:
        assert options is None
        return self._store.result(path)


class Coordinator:
    """A process that runs, and may sleep or be killed between any two steps."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name, self._count = world, name, 0
        self.snapshot: Snapshot | None = None
        self.changes: RootChanges | None = None

    def begin(self) -> None:
        """Read the root, with which the run begins."""
        self.snapshot, self.changes = Snapshot.read(self._world.client), None

    def work(self, removed: tuple[str, str] | None = None) -> None:
        """Put the objects of a run on all new raw objects, which also removes one partition, if it is there."""
        assert self.snapshot is not None
        self._count += 1
        run, attempt = f"{self._name}{self._count}", new_token()
        known = self.snapshot.raw_objects()
        raw = {name: found for name, found in self._world.raw.items() if name not in known}
        days: Numbers = {}
        for found in raw.values():
            days.setdefault((found.workspace_id, found.day), []).extend(found.numbers)
        if removed is not None:
            days[removed] = []
        files: dict[str, StoredFile | None] = {}
        counts: dict[tuple[str, str], int] = {}
        for (workspace_id, day), numbers in days.items():
            path = events_path(workspace_id, day)
            before = json.loads(self.snapshot.read_file(path) or b"[]")
            after = [] if (workspace_id, day) == removed else before + numbers
            files[path] = self._put(path, run, attempt, after) if after else None
            month = (workspace_id, day[:7])
            counts[month] = counts.get(month, 0) + len(after) - len(before)
        for (workspace_id, of), more in counts.items():
            path, count = self._cube(workspace_id, of)
            files |= {path: None} if path else {}
            new = cube_path(workspace_id, of, run)
            if count + more:
                files[new] = self._put(new, run, attempt, count + more)
        self._world.effects[run] = Effect(list(raw), removed)
        self.changes = RootChanges(
            run=run,
            attempt=attempt,
            published=self._published(run),
            files=files,
            raw_objects={name: RawObject(etag="e") for name in raw},
        )

    def idle(self) -> None:
        """Prepare a commit that changes nothing but the root."""
        assert self.snapshot is not None
        self._count += 1
        run = f"{self._name}{self._count}"
        self._world.effects[run] = Effect([])
        self.changes = RootChanges(run=run, attempt=new_token(), published=self._published(run))

    def commit(self, swept: Iterable[str] = ()) -> None:
        """Publish what the run has put, and note what it was told."""
        assert self.snapshot is not None
        assert self.changes is not None
        run, outcomes = self.changes.run, self._world.outcomes
        try:
            commit(self.snapshot, msgspec.structs.replace(self.changes, swept=set(swept)))
            outcomes[run] = "committed"
        except OvertakenError:
            outcomes.setdefault(run, "overtaken")
        except LayoutError:
            outcomes.setdefault(run, "overtaken")  # another run superseded what this one was to read
        except (UnavailableError, Killed):
            outcomes[run] = "unknown"
        self.stop()

    def stop(self) -> None:
        """End the run, or be killed."""
        self.snapshot = self.changes = None

    def _put(self, path: str, run: str, attempt: str, value: object) -> StoredFile:
        content = json.dumps(value).encode()
        file = StoredFile.of(object_name(path, run, attempt), content)
        self._world.client.create(object_key(path, file.name), content, file)
        return file

    def _cube(self, workspace_id: str, month: str) -> tuple[str, int]:
        assert self.snapshot is not None
        shard: IndexShard = self.snapshot.index(shard_of(workspace_id))
        prefix = cube_path(workspace_id, month, "").rpartition("/")[0]
        path = next((path for path, _ in shard.files() if path.startswith(f"{prefix}/")), "")
        return path, json.loads(self.snapshot.read_file(path) or b"0") if path else 0

    def _published(self, run: str) -> Published:
        root = None if self.snapshot is None else self.snapshot.root
        return Published(1 if root is None else root.sequence + 1, run, None, 1, "2026.6")
