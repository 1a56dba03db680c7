"""The state machine of the model tests: coordinators on an object store in memory, and whatever can happen to them."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.contract.layout import LayoutError
from pipeline.contract.object_errors import UnavailableError
from pipeline.storage.objects import sweep as sweep_module
from tests.support.fake_obstore import Killed
from tests.support.object_runs import SECOND, Coordinator, World

Partition = tuple[str, str]

NAMES = ("x", "y")
FAULTS = (
    *("lost request", "lost answer", "delayed", "conflict", "killed before", "killed after"),
    *("other", "later", "lost answer, then other", "lost answer, then other"),
)

coordinators = st.sampled_from(NAMES)
partitions = st.sampled_from([("a", "2026-11-24"), ("a", "2026-11-25"), ("b", "2026-11-24"), ("b", "2026-12-01")])
# Which request is struck, and by what; 0 is the flip of the root.
faults = st.lists(st.tuples(st.sampled_from([0, 0, *range(8)]), st.sampled_from(FAULTS)), max_size=2).map(
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
        swept: set[str] = set()

        def sweep() -> None:
            grace = {"grace": 0} if is_immediate else {}
            if is_immediate:
                lists = [file for file, _ in snapshot.superseded()]
                self.world.released.update(key for file in lists for key in snapshot.superseded_keys(file))
            swept.update(sweep_module.sweep(snapshot, now, **grace))

        self._guarded(one, planned, sweep)
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
        except (UnavailableError, LayoutError, Killed):
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
