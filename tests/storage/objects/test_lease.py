"""The lease: one run at a time while clocks are right, a takeover after the end, and a run that notices its loss."""

import json
import threading
from contextlib import suppress

import pytest
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pipeline.contract.layout import LayoutError
from pipeline.contract.location import Location
from pipeline.contract.object_client import TRIES, Client
from pipeline.contract.object_errors import UnavailableError
from pipeline.contract.object_names import LEASE
from pipeline.storage.lock import BusyError
from pipeline.storage.objects.lease import DURATION, Clocks, Lease, LostLeaseError, leased
from tests.support.fake_obstore import FakeObstore, Fault
from tests.support.fault_proxy import Fault as NetworkFault
from tests.support.fault_proxy import FaultProxy

OUTAGE: list[NetworkFault] = ["503" for _ in range(TRIES)]


class Time:
    """A clock that stands still, and a way to wait that does not."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0
        self.rounds = 0  # of renewals
        self.clocks = Clocks(lambda: self.seconds, lambda: self.seconds, self.wait)

    def wait(self, stop: threading.Event, interval: float) -> bool:
        """Let the interval pass; after some rounds, wait for the event."""
        if self.rounds == 0:
            return stop.wait()
        self.rounds -= 1
        self.seconds += interval
        return False


@pytest.fixture
def time() -> Time:
    """Return a clock."""
    return Time()


def state(client: Client) -> dict[str, object]:
    """Return what the lease says."""
    content = client.get(LEASE)
    assert content is not None
    found: dict[str, object] = json.loads(content.bytes)
    return found


def is_held(lease: Lease) -> bool:
    """Return whether a run may go on."""
    try:
        lease.refuse_loss()
    except LostLeaseError:
        return False
    return True


def test_one_at_a_time(client: Client, time: Time) -> None:
    """While a lease is held, a second run is told to come back; afterwards it begins at once."""
    with leased(client, "one", time.clocks) as lease:
        lease.refuse_loss()
        time.seconds += 20
        with pytest.raises(BusyError, match=r"another run is at work on s3://.*; if it was killed, .* ends in 40 s"):
            Lease(client, "two", time.clocks)
    with leased(client, "two", time.clocks):
        assert state(client) == {"owner": "two", "epoch": 2, "until": time.seconds + DURATION, "renewals": 0}
    assert state(client)["until"] == 0


def test_renewals(client: Client, time: Time) -> None:
    """A thread renews the lease as long as the run takes."""
    time.rounds = 20
    with leased(client, "one", time.clocks) as lease:
        while time.rounds:
            lease.refuse_loss()
    assert state(client)["renewals"] == 21


def test_a_run_that_was_killed(client: Client, time: Time) -> None:
    """The lease of a dead run ends by itself; if the run was only asleep, it notices."""
    first = Lease(client, "one", time.clocks)
    time.seconds += DURATION
    assert not is_held(first)
    second = Lease(client, "two", time.clocks)
    first.renew()
    assert not is_held(first)
    first.release()
    assert is_held(second)
    assert state(client)["owner"] == "two"


def test_a_clock_that_is_wrong(client: Client, time: Time) -> None:
    """A run whose lease was taken over because of a clock stops at its next renewal."""
    first = Lease(client, "one", time.clocks)
    Lease(client, "two", Clocks(lambda: time.seconds + 3_600, lambda: time.seconds, time.wait))
    assert is_held(first)
    first.renew()
    with pytest.raises(LostLeaseError, match=r"another run has taken over s3://[^;]*$"):
        first.refuse_loss()


def test_a_takeover_race(client: Client, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two runs that see the end of a lease, one gets it."""
    replace = Client.replace

    def slow(client: Client, key: str, content: bytes, etag: str | None) -> str:
        monkeypatch.setattr(Client, "replace", replace)
        Lease(client, "two", time.clocks)
        return replace(client, key, content, etag)

    monkeypatch.setattr(Client, "replace", slow)
    with pytest.raises(BusyError, match="another run has just begun"):
        Lease(client, "one", time.clocks)


@pytest.mark.parametrize("fault", ["lose request", "lose answer", "duplicate", "409", "503"])
def test_lost_answers(faulty: Client, client: Client, proxy: FaultProxy, time: Time, fault: NetworkFault) -> None:
    """A lost answer costs no lease: neither when it is taken, nor when it is renewed."""
    proxy.plan("PUT", LEASE, fault)
    lease = Lease(faulty, "one", time.clocks)
    time.seconds += 10
    proxy.plan("PUT", LEASE, fault)
    lease.renew()
    assert proxy.is_used_up()
    time.seconds += DURATION - 1
    assert is_held(lease)
    assert state(client)["renewals"] == 1


def test_a_store_that_is_away(faulty: Client, client: Client, proxy: FaultProxy, time: Time) -> None:
    """A lease that cannot be renewed is held until it ends; a run cannot begin without the store."""
    lease = Lease(faulty, "one", time.clocks)
    proxy.plan("PUT", LEASE, "503", "503")
    lease.renew()
    time.seconds += DURATION - 1
    assert is_held(lease)
    lease.renew()
    time.seconds += DURATION - 1
    assert is_held(lease)
    proxy.plan("PUT", LEASE, "503")
    lease.release()  # says nothing: the lease ends by itself
    proxy.plan("PUT", LEASE, *OUTAGE)
    time.seconds += 1
    with pytest.raises(UnavailableError):
        Lease(faulty, "two", time.clocks)
    assert state(client)["owner"] == "one"


def test_a_late_renewal(faulty: Client, proxy: FaultProxy, time: Time) -> None:
    """A renewal that arrives after it was given up is the run's own."""
    lease = Lease(faulty, "one", time.clocks)
    proxy.plan("PUT", LEASE, "delay", "delay")
    lease.renew()
    assert sorted(proxy.deliver_late()) == [200, 412]
    time.seconds += DURATION - 1
    lease.renew()
    time.seconds += 1
    assert is_held(lease)


def test_a_damaged_lease(client: Client, time: Time) -> None:
    """A lease that cannot be read is named, with what to do."""
    client.replace(LEASE, b"{}", None)
    with pytest.raises(LayoutError, match=r"lease\.json is damaged: .*; delete it if no run is at work"):
        Lease(client, "one", time.clocks)


class Holders(RuleBasedStateMachine):
    """Runs that take, renew and release the lease, while requests are lost and arrive late; their clocks are right."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        self.planned: list[Fault] = []
        self.store = FakeObstore(lambda: int(self.time.seconds), self._fault)
        self.leases: list[Lease] = []

    @rule(planned=st.lists(st.sampled_from(["", "lost request", "lost answer", "delayed", "conflict"]), max_size=9))
    def take(self, planned: list[Fault]) -> None:
        """A run begins, unless another is at work."""
        self.planned = planned
        client = Client(Location("bucket"), api=self.store, pause=lambda _: None)
        with suppress(BusyError, UnavailableError):
            self.leases.append(Lease(client, f"run{len(self.leases)}", self.time.clocks))

    @rule(
        number=st.integers(0, 3),
        planned=st.lists(st.sampled_from(["", "lost request", "lost answer", "delayed"]), max_size=9),
    )
    def renew(self, number: int, planned: list[Fault]) -> None:
        """A run renews its lease, perhaps after it was lost."""
        self.planned = planned
        for lease in self.leases[-1 - number :][:1]:
            lease.renew()

    @rule(number=st.integers(0, 3))
    def release(self, number: int) -> None:
        """A run ends."""
        for lease in self.leases[-1 - number :][:1]:
            lease.release()

    @rule(seconds=st.sampled_from([1, 30, 59, 60, 61]))
    def pass_time(self, seconds: int) -> None:
        """Nothing happens for a while."""
        self.time.seconds += seconds

    @rule()
    def deliver_late(self) -> None:
        """Requests that were on their way for long arrive."""
        self.store.deliver_late()

    @invariant()
    def one_holder(self) -> None:
        """At most one run believes that it holds the lease."""
        assert sum(map(is_held, self.leases)) <= 1

    def _fault(self, method: str, _: str) -> Fault:
        return self.planned.pop(0) if method == "put" and self.planned else ""


def test_model() -> None:
    """With right clocks, two runs never hold the lease at the same time."""
    run_state_machine_as_test(Holders, settings=settings(max_examples=60, stateful_step_count=25))


def test_the_model_finds_takeovers_without_a_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that is taken without `If-Match` is found."""
    replace = Client.replace

    def replacing(client: Client, key: str, content: bytes, _: str | None) -> str:
        found = client.head(key)
        return replace(client, key, content, None if found is None else found.etag)

    monkeypatch.setattr(Client, "replace", replacing)
    quick = settings(max_examples=1_000, stateful_step_count=15, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):  # other seeds find it later
        run_state_machine_as_test(seed(2)(type("Holders", (Holders,), {})), settings=quick)
