"""Check that plain raw files still begin with the bytes that runs read.

Reads these bytes of every plain raw file; a run that continues where the last one stopped does not read them. Writes
nothing.
"""

from collections.abc import Mapping

from pipeline.check.report import TableResult
from pipeline.load import discovery
from pipeline.load.listing import RawFolderError
from pipeline.load.progress import Progress
from pipeline.load.raw_source import RawSource
from pipeline.storage.state import Entry


def compare(raw: RawSource, entries: Mapping[str, Entry], result: TableResult, progress: Progress) -> None:
    """Compare the checksum of each plain raw file with that of what was read; a difference is a fault.

    Skips files that are gone and files that the next run reads as a whole.

    Args:
        raw: the raw files.
        entries: the ledger.
        result: collects the faults.
        progress: receives progress reports.
    """
    try:
        found = raw.listed()
    except RawFolderError:  # `lines.account` reports it
        return
    again = {part.source_file for part in discovery.changed(found, entries, {}) if not part.offset}
    known = [entry for name, entry in sorted(entries.items()) if entry.checksum is not None and name not in again]
    size = sum(entry.offset for entry in known)
    progress.begin("raw", f"reading {len(known):,} raw files, {size:,} bytes", size, "bytes")
    for entry in known:
        checksum: int | None
        try:
            checksum = raw.checksum(entry.path, entry.offset)
        except OSError:  # it may be deleted; `lines.account` reports files that cannot be read
            checksum = entry.checksum
        if checksum != entry.checksum:
            result.fault(f"{entry.path}: its first {entry.offset:,} bytes are not those that were read any more")
        progress.advance(entry.offset)
