"""Root, ledger and sweep under lost answers, delays, conflicts, kills and several coordinators; and planted faults."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pipeline.contract.layout import LayoutError, Root
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import OvertakenError, UnavailableError
from pipeline.contract.object_names import ROOT
from pipeline.storage.objects import commit as commit_module
from pipeline.storage.objects import flip as flip_module
from pipeline.storage.objects import snapshot as snapshot_module
from pipeline.storage.objects import sweep as sweep_module
from pipeline.storage.objects.commit import Changes
from pipeline.storage.objects.snapshot import Snapshot
from tests.support.object_runs import SECOND, Coordinator, World

Partition = tuple[str, str]

NAMES = ("x", "y")
FAULTS = ("lost request", "lost answer", "delayed", "conflict", "other", "later", "lost answer, then other")

coordinators = st.sampled_from(NAMES)
partitions = st.sampled_from([("a", "2026-11-24"), ("a", "2026-11-25"), ("b", "2026-11-24"), ("b", "2026-12-01")])
# Which request is struck, and by what; 0 is the flip of the root.
faults = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(FAULTS)), max_size=2).map(
    lambda struck: [dict(struck).get(number, "") for number in range(8)]
)


class Store(RuleBasedStateMachine):
    """Two coordinators that know nothing of each other, as if no lease kept them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.coordinators = {name: Coordinator(self.world, name) for name in NAMES}
        self.checked = -1

    @rule(seconds=st.sampled_from([1, 60, 1_000, 90_000]))
    def pass_time(self, seconds: int) -> None:
        """Nothing happens for a while."""
        self.world.seconds += seconds

    @rule()
    def deliver_late(self) -> None:
        """Requests that were on their way for long arrive."""
        self.world.store.deliver_late()

    @rule(name=coordinators)
    def look(self, name: str) -> None:
        """A process reads the root, to do something later."""
        self.coordinators[name].begin()

    @rule(name=coordinators, partition=partitions, removed=st.none() | partitions, planned=faults)
    def start(self, name: str, partition: Partition, removed: Partition | None, planned: list[str]) -> None:
        """A run finds a new raw object, and puts its own objects."""
        one = self.coordinators[name]
        self.world.deliver(*partition)
        one.begin()
        self._guarded(one, planned, lambda: one.work(removed))

    @rule(name=coordinators, partition=partitions, planned=faults)
    def run(self, name: str, partition: Partition, planned: list[str]) -> None:
        """A run does all that it has to do."""
        self.start(name, partition, None, [""])
        self.commit(name, planned)

    @rule(name=coordinators, planned=faults)
    def commit(self, name: str, planned: list[str]) -> None:
        """A run commits, perhaps long after it began."""
        one = self.coordinators[name]
        if one.changes is not None:
            self._guarded(one, planned, one.commit)

    @rule(name=coordinators)
    def kill(self, name: str) -> None:
        """A coordinator is killed between two steps."""
        self.coordinators[name].stop()

    @rule(name=coordinators, planned=faults, is_immediate=st.booleans())
    def sweep(self, name: str, planned: list[str], is_immediate: bool) -> None:
        """A run sweeps what was superseded as of when it began, at once or after the grace, and says so in a root."""
        one = self.coordinators[name]
        if one.snapshot is None or one.changes is not None:
            one.begin()
        assert one.snapshot is not None
        snapshot, now = one.snapshot, self.world.seconds * SECOND
        self.world.is_immediate = is_immediate
        swept: set[str] = set()

        def sweep() -> None:
            grace = {"grace": 0} if is_immediate else {}
            swept.update(sweep_module.sweep(snapshot, now, **grace))

        self._guarded(one, planned, sweep)
        self.world.is_immediate = False
        if one.snapshot is not None:
            one.idle()
            one.commit(swept)

    @rule(name=coordinators, planned=faults, age=st.sampled_from([0, sweep_module.ORPHANS]))
    def flip_and_sweep_orphans(self, name: str, planned: list[str], age: int) -> None:
        """A run flips the root and deletes what this does not name."""
        one = self.coordinators[name]
        one.begin()
        one.idle()
        one.commit()
        one.begin()
        snapshot = one.snapshot
        assert snapshot is not None
        self._guarded(one, planned, lambda: sweep_module.sweep_orphans(snapshot, self.world.seconds * SECOND, age))

    @rule(name=coordinators, age=st.sampled_from([0, sweep_module.ORPHANS]))
    def sweep_orphans_late(self, name: str, age: int) -> None:
        """A run that read the root some time ago deletes what that root does not name."""
        one = self.coordinators[name]
        snapshot = one.snapshot
        if snapshot is not None:
            now = self.world.seconds * SECOND
            self._guarded(one, [""], lambda: sweep_module.sweep_orphans(snapshot, now, age))

    @invariant()
    def tables_are_those_of_the_committed_runs(self) -> None:
        """At any moment, readers find exactly the runs that were committed."""
        self.world.check()

    def _guarded(self, one: Coordinator, planned: list[str], function: Callable[[], Any]) -> None:
        """Call a function with faults; a store that stays away, or inputs that are gone, end the run."""

        def other() -> None:
            self._other(one)

        others: dict[str, Any] = {
            "other": other,
            "later": self._later,
            "lost answer, then other": ("lost answer", other),
        }
        try:
            self.world.with_faults([others.get(fault, fault) for fault in planned], function)
        except (UnavailableError, LayoutError):
            one.stop()

    def _other(self, one: Coordinator) -> None:
        """Let another coordinator begin and commit a whole run."""
        other = next(found for found in self.coordinators.values() if found is not one)
        try:
            if other.changes is None:
                self.world.deliver("a", "2026-11-24")
                other.begin()
                other.work()
            other.commit()
        except LayoutError:
            other.stop()

    def _later(self) -> None:
        self.world.seconds += 2_000


@pytest.fixture(autouse=True)
def _in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the requests of a commit one after the other, so that an example can be repeated."""
    monkeypatch.setattr(snapshot_module, "_THREADS", 1)


def test_model() -> None:
    """Whatever happens, the root names only what is there, and readers find the runs that were committed, once each."""
    run_state_machine_as_test(Store, settings=settings(max_examples=60, stateful_step_count=30))


def no_condition(patch: pytest.MonkeyPatch) -> None:
    """Flip the root whatever it is by now."""
    replace = Client.replace

    def replacing(client: Client, key: str, content: bytes, _: str | None) -> str:
        current = client.head(key)
        return replace(client, key, content, None if current is None else current.etag)

    patch.setattr(Client, "replace", replacing)


def no_grace(patch: pytest.MonkeyPatch) -> None:
    """Sweep what was superseded without the grace."""
    sweep = sweep_module.sweep
    patch.setattr(sweep_module, "sweep", lambda snapshot, now, grace=0: sweep(snapshot, now, grace * 0))


def forget_recent_runs(patch: pytest.MonkeyPatch) -> None:
    """Keep no recent runs in the root: a run that lost the answer to its flip does not find itself in a later root."""
    patch.setattr(flip_module, "decode_root", lambda content: _without(content, recent=()))


def trust_no_nonce(patch: pytest.MonkeyPatch) -> None:
    """Take any refusal of the flip for a success of somebody else."""
    patch.setattr(flip_module, "decode_root", lambda content: _without(content, recent=(), nonce=""))


def superseded_by_the_own_clock(patch: pytest.MonkeyPatch) -> None:
    """Count the grace from when a root is composed: its flip may come much later."""
    read = Snapshot.read

    def reading(client: Client) -> Snapshot:
        snapshot = read(client)
        return Snapshot(client, snapshot.root, snapshot.etag, snapshot.stored - 2_000 * SECOND)

    patch.setattr(Snapshot, "read", reading)


def orphans_of_runs_at_work(patch: pytest.MonkeyPatch) -> None:
    """Take everything for an orphan that no root names, however new it is."""
    sweep = sweep_module.sweep_orphans

    def sweeping(snapshot: Snapshot, now: int, age: int = 0) -> int:
        later = Snapshot(snapshot.client, snapshot.root, snapshot.etag, now + SECOND)
        return sweep(later, now + SECOND, age * 0)

    patch.setattr(sweep_module, "sweep_orphans", sweeping)


def no_ledger(patch: pytest.MonkeyPatch) -> None:
    """Publish tables without the ledger of what they were made from."""
    patch.setattr(commit_module._Draft, "change_ledger", lambda _: None)  # noqa: SLF001


def flip_before_the_shards(patch: pytest.MonkeyPatch) -> None:
    """Flip the root before the shards that it names are written."""
    write, flip = commit_module._Draft.write, flip_module.flip  # noqa: SLF001
    drafts: list[Any] = []
    patch.setattr(commit_module._Draft, "write", lambda draft: drafts.append(draft))  # noqa: SLF001, PLW0108 - bound

    def flipping(*arguments: Any) -> None:
        flip(*arguments)
        write(drafts.pop())

    patch.setattr(commit_module, "flip", flipping)


def begin_again_in_the_flip(patch: pytest.MonkeyPatch) -> None:
    """Put the same root once more, in place of the one that another run has flipped meanwhile."""
    flip = flip_module.flip

    def flipping(client: Client, root: Root, etag: str | None) -> None:
        try:
            flip(client, root, etag)
        except OvertakenError:
            found = client.head(ROOT)
            flip(client, root, None if found is None else found.etag)

    patch.setattr(commit_module, "flip", flipping)


def lose_superseded_objects_of_others(patch: pytest.MonkeyPatch) -> None:
    """Keep only this commit's list of superseded objects, and sweep the others' at once."""
    commit = commit_module.commit

    def committing(before: Snapshot, changes: Changes) -> None:
        swept = set()
        for file, _, keys in before.superseded():
            before.client.delete(keys)
            swept.add(file.name)
        commit(before, msgspec.structs.replace(changes, swept=swept))

    patch.setattr("tests.support.object_runs.commit", committing)


PLANTS = [
    no_condition,
    no_grace,
    forget_recent_runs,
    trust_no_nonce,
    superseded_by_the_own_clock,
    orphans_of_runs_at_work,
    no_ledger,
    flip_before_the_shards,
    begin_again_in_the_flip,
    lose_superseded_objects_of_others,
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_planted_faults_are_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The model finds each fault that is planted into the code."""
    plant(monkeypatch)
    quick = settings(
        max_examples=2_000, stateful_step_count=12, database=None, derandomize=True, phases=[Phase.generate]
    )
    with pytest.raises((AssertionError, LayoutError)):
        run_state_machine_as_test(Store, settings=quick)


def _without(content: bytes, **fields: object) -> Root:
    return msgspec.structs.replace(msgspec.json.decode(content, type=Root), **fields)
