"""Check that nothing that tombstones cover is stored.

Reads the tombstones, the state and, where there are tombstones, the rejected lines; gets the rows of events from
`TableReader`. Writes nothing.
"""

import pyarrow as pa

from pipeline.check.digests import Digests
from pipeline.check.files import Unit
from pipeline.check.report import CheckReport
from pipeline.check.state import StateReader
from pipeline.erasure.rejects import is_erased
from pipeline.load.redaction import redact
from pipeline.load.shuffle import of_forgotten
from pipeline.quarantine import Quarantine
from pipeline.storage.digests import EMPTY
from pipeline.storage.store import DamagedError, Store
from pipeline.storage.tombstones import TOMBSTONES, Tombstones, TombstonesError


class Forgotten:
    """Looks for what is forgotten or expired in everything that the check reads.

    Args:
        store: the published files.
        state: knows which tombstones are carried out.
        digests: of the tombstones.
        report: collects the faults.
    """

    def __init__(self, store: Store, state: StateReader, digests: Digests, report: CheckReport) -> None:
        self._store, self._state, self._report = store, state, report
        self._tombstones = _tombstones(store, digests, report)
        self._events: dict[str, int] = {}  # number of events of forgotten users, by file
        self._places: dict[str, int] = {}  # number of places where other users' events name them, by file

    def begin(self, uri: str) -> None:
        """Note that a file of events is read, perhaps once more."""
        self._events[uri] = self._places[uri] = 0

    def look(self, uri: str, rows: pa.Table) -> None:
        """Look at some rows of a file of events."""
        if self._tombstones.users:
            theirs = of_forgotten(rows["user_id"].combine_chunks(), self._tombstones)
            self._events[uri] += int(theirs.sum())
            self._places[uri] += redact(rows.filter(pa.array(~theirs)), self._tombstones)[1]

    def end(self, units: list[Unit]) -> None:
        """Report what was found in the events, and look at the rejected lines."""
        if self._tombstones == Tombstones():
            return
        remedy = _remedy(self._state, self._tombstones)
        for unit in units:
            for uri in unit.events:
                if self._tombstones.cover(unit.workspace_id, uri.split("/")[-2].partition("=")[2]):
                    self._report.events.fault(f"{uri} is forgotten or expired; {remedy}")
                if events := self._events.get(uri):
                    self._report.events.fault(f"{uri}: events of forgotten users: {events:,}; {remedy}")
                if places := self._places.get(uri):
                    self._report.events.fault(f"{uri}: places that name forgotten users: {places:,}; {remedy}")
        for file in Quarantine(self._store).files():
            found = Quarantine(self._store, file=file.source_file).lines()
            if lines := sum(is_erased(rejected, self._tombstones) for rejected in found):
                self._report.quarantine.fault(f"{file.source_file}: forgotten or expired lines: {lines:,}; {remedy}")


def _tombstones(store: Store, digests: Digests, report: CheckReport) -> Tombstones:
    """Return the tombstones; if they cannot be read, report that and return none."""
    try:
        return store.tombstones(digests.recorded.get(TOMBSTONES, EMPTY))
    except TombstonesError as error:
        report.ledger.fault(str(error))
        return Tombstones()
    except DamagedError as error:
        digests.lose(error, report.ledger, "restore it from a backup")
        return Tombstones()


def _remedy(state: StateReader, tombstones: Tombstones) -> str:
    """Return how to erase what is left: a run carries out tombstones that the state does not list as carried out."""
    done = state.ask(lambda found: found.carried_out(), Tombstones())
    return f"`usage run{'' if tombstones.since(done) != Tombstones() else ' --rebuild'}` erases it"
