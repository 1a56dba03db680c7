"""Check that plain raw files still begin with the bytes that runs read.

Reads these bytes of every plain raw file; a run that reads on where the last one stopped does not. Writes nothing.
"""

from collections.abc import Mapping

from pipeline.check.report import TableResult
from pipeline.contract.tables import RAW
from pipeline.load import checksums, discovery
from pipeline.load.progress import Progress
from pipeline.storage.state import Entry
from pipeline.storage.store import Store


def compare(store: Store, entries: Mapping[str, Entry], result: TableResult, progress: Progress) -> None:
    """Compare the checksum of each plain raw file with that of what was read; a difference is a fault.

    Files that are gone, and those that the next run reads as a whole, are passed over.

    Args:
        store: the data folder.
        entries: the ledger.
        result: collects the faults.
        progress: receives progress reports.
    """
    raw = store.path(RAW)
    again = {part.source_file for part in discovery.changed(raw, entries) if not part.offset} if raw.exists() else set()
    known = [entry for name, entry in sorted(entries.items()) if entry.checksum is not None and name not in again]
    size = sum(entry.offset for entry in known)
    progress.begin("raw", f"reading {len(known):,} raw files, {size:,} bytes", size, "bytes")
    for entry in known:
        found: int | None
        try:
            with (raw / entry.path).open("rb") as file:
                found = checksums.of_beginning(file, entry.offset)
        except OSError:  # it may be deleted; of files that cannot be read, others report
            found = entry.checksum
        if found != entry.checksum:
            result.fault(f"{entry.path}: its first {entry.offset:,} bytes are not those that were read any more")
        progress.advance(entry.offset)
