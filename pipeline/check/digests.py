"""Compare published files with the digests that were recorded when they were written.

Reads the state, and each file that it is asked about; writes nothing. So a flipped bit is found wherever it is,
also where no number depends on it.
"""

from pipeline.check.report import CheckReport, TableResult
from pipeline.check.state import StateReader
from pipeline.load.rebuild import remedy
from pipeline.storage import digests
from pipeline.storage.checked import CheckedTables
from pipeline.storage.digests import Digest
from pipeline.storage.store import DamagedError


class Digests:
    """The recorded digests, and what became of the files.

    Args:
        tables: with the files.
        state: has the digests.
        report: collects the faults.
    """

    def __init__(self, tables: CheckedTables, state: StateReader, report: CheckReport) -> None:
        self._tables, self._report = tables, report
        self.recorded = state.ask(lambda found: found.digests(), dict[str, Digest]())
        self._compared: dict[str, bool] = {}  # whether each file is as it was written, or nothing else is known
        self._unknown: set[str] = set()

    def named(self, table: str) -> list[str]:
        """Return the files of a table that have a digest, and so must exist."""
        return sorted(uri for uri in self.recorded if uri.startswith(f"{table}/"))

    def of(self, uri: str) -> Digest | None:
        """Return the digest of a file; None if it is unknown, of which the report says how often it is so."""
        found = self.recorded.get(uri)
        if found is None:
            self._unknown.add(uri)
        return found

    def agrees(self, uri: str, result: TableResult, mending: str = "") -> bool:
        """Return whether a file that exists is as it was written; if not, report that. Each file is read once.

        Args:
            uri: the file.
            result: counts the fault.
            mending: what mends the file, where `remedy` does not know.

        Raises:
            OSError: the file cannot be read.
        """
        if uri not in self._compared:
            digest = self.of(uri)
            try:
                self._compared[uri] = digest is None or digests.of_file(self._tables.store.local(uri)) == digest
            except DamagedError as error:
                self.lose(error, result, mending)
            else:
                if not self._compared[uri]:
                    self.lose(DamagedError(uri, digests.WHY), result, mending)
        return self._compared[uri]

    def lose(self, error: DamagedError, result: TableResult, mending: str = "") -> None:
        """Report that a file is damaged, unless a run has replaced it meanwhile, which the report counts."""
        self._compared[error.uri] = False
        if self._tables.is_current(error.uri):
            result.fault(f"{error}; {mending or remedy(error.uri)}")
        else:
            self._report.replaced += 1

    def miss(self, uri: str, result: TableResult) -> None:
        """Report that a file with a digest does not exist."""
        self._compared[uri] = False
        result.fault(f"{uri} is missing; {remedy(uri)}")

    def end(self) -> None:
        """Note how many files could not be compared."""
        if self._unknown:
            many = f"{len(self._unknown):,} files have no digest to compare them with"
            self._report.notes.append(f"{many}; the next run records them as they are")
