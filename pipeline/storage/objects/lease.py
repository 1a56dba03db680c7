"""The lease on a location: `lease.json`, which keeps a second run away while one is at work.

Reads and replaces that object. It only saves work that would be done twice: if two runs hold it because of a clock that
is wrong or a machine that slept, the flip of the root lets only one of them commit.

    LostLeaseError  somebody else holds it now
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

import msgspec

from pipeline.contract.layout import LayoutError
from pipeline.contract.object_client import TRIES, Client
from pipeline.contract.object_errors import ChangedError, ObjectStoreError, UnavailableError
from pipeline.contract.object_names import LEASE
from pipeline.storage.lock import BusyError

DURATION: Final = 60.0  # seconds that a lease lasts without being renewed
_INTERVAL: Final = 10.0  # seconds between two renewals
_RENEWAL_TRIES: Final = 2  # the next renewal is not far, and the end of a run waits for this one


class LostLeaseError(BusyError):
    """Raised when somebody else holds the lease by now, so that this run has to stop."""


class LeaseState(msgspec.Struct, frozen=True):
    """The content of `lease.json`.

    Attributes:
        owner: a token of the run.
        epoch: how often the lease changed hands.
        until: when it ends, in seconds since 1970; 0 once it is released.
        renewals: so that no two contents, and no two ETags, are alike.
    """

    owner: str
    epoch: int
    until: float
    renewals: int = 0


class Clocks(NamedTuple):
    """What a lease knows of time; tests have others."""

    now: Callable[[], float] = time.time  # seconds since 1970, as other machines have it
    elapsed: Callable[[], float] = time.monotonic  # seconds, whatever happens to the clock
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait  # for an event, or so many seconds


class Lease:
    """A lease that is held.

    Args:
        client: of the store.
        owner: a token that nobody else has.
        clocks: of this machine.

    Raises:
        BusyError: somebody else holds the lease.
        ObjectStoreError: the store cannot be used.
    """

    def __init__(self, client: Client, owner: str, clocks: Clocks = Clocks()) -> None:  # noqa: B008 - it is immutable
        self._client, self._owner, self._clocks = client, owner, clocks
        self._is_lost = False
        self._state, self._etag, self._ends = self._take()

    def refuse_loss(self) -> None:
        """Stop a run that no longer holds the lease.

        Raises:
            LostLeaseError: somebody else holds it, or may do so, since it could not be renewed in time.
        """
        if self._is_lost or self._clocks.elapsed() >= self._ends:
            raise LostLeaseError(f"another run has taken over {self._client.location.url}")

    def renew(self) -> None:
        """Extend the lease from now; one that is lost stays lost, and one that cannot be renewed now may be later."""
        state = msgspec.structs.replace(
            self._state, until=self._clocks.now() + DURATION, renewals=self._state.renewals + 1
        )
        ends = self._clocks.elapsed() + DURATION
        try:
            etag = self._put(state, self._etag, _RENEWAL_TRIES)
        except UnavailableError:
            return
        except (ObjectStoreError, LayoutError):
            self._is_lost = True
            return
        self._state, self._etag, self._ends = state, etag, ends

    def keep(self, stop: threading.Event) -> None:
        """Renew the lease at intervals until it is lost, or the event is set."""
        while not self._is_lost and not self._clocks.wait(stop, _INTERVAL):
            self.renew()

    def release(self) -> None:
        """Let the next run begin at once. If that fails, it begins when the lease has ended."""
        if not self._is_lost:
            with suppress(ObjectStoreError, LayoutError):
                ended = msgspec.structs.replace(self._state, until=0.0, renewals=self._state.renewals + 1)
                self._client.replace(LEASE, msgspec.json.encode(ended), self._etag)
            self._is_lost = True

    def _take(self) -> tuple[LeaseState, str, float]:
        current, etag = _read(self._client)
        now = self._clocks.now()
        if current is not None and current.until > now:
            seconds = min(current.until - now, DURATION)
            where = self._client.location.url
            raise BusyError(f"another run is at work on {where}; if it was killed, its lease ends in {seconds:.0f} s")
        state = LeaseState(self._owner, 1 if current is None else current.epoch + 1, now + DURATION)
        ends = self._clocks.elapsed() + DURATION
        try:
            return state, self._put(state, etag, TRIES), ends
        except ChangedError:
            raise BusyError(f"another run has just begun on {self._client.location.url}") from None

    def _put(self, state: LeaseState, etag: str | None, tries: int) -> str:
        """Replace the lease, and return its ETag. If an answer is lost, look whether the lease was written.

        Raises:
            ChangedError: somebody else has written it.
        """
        content = msgspec.json.encode(state)
        for tried in range(1, tries + 1):
            try:
                return self._client.replace(LEASE, content, etag)
            except (ChangedError, UnavailableError):
                current, there = _read(self._client)
                if current == state and there is not None:
                    return there
                if there != etag and (current is None or current.owner != self._owner):
                    raise ChangedError(f"{LEASE} was changed by somebody else") from None
                if tried == tries:
                    raise
                etag = there  # of an earlier renewal, if that arrived late
            self._client.wait(tried)
        raise AssertionError("the last try returns or raises")


@contextmanager
def leased(client: Client, owner: str, clocks: Clocks = Clocks()) -> Iterator[Lease]:  # noqa: B008 - it is immutable
    """Hold the lease, and renew it in a thread.

    Raises:
        BusyError: somebody else holds it.
        ObjectStoreError: the store cannot be used.
    """
    lease, stop = Lease(client, owner, clocks), threading.Event()
    thread = threading.Thread(target=lease.keep, args=[stop], name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        stop.set()
        thread.join()
        lease.release()


def _read(client: Client) -> tuple[LeaseState | None, str | None]:
    content = client.get(LEASE)
    if content is None:
        return None, None
    try:
        return msgspec.json.decode(content.bytes, type=LeaseState), content.found.etag
    except msgspec.MsgspecError as error:
        raise LayoutError(LEASE, f"{error}; delete it if no run is at work") from None
