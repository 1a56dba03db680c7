"""Plain records for the worked examples of the oracle, and an oracle that has read them."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.hostile import make_plain_record, write_line
from tests.oracle import Oracle, load, read_instant

NOW_US = read_instant("2026-11-15T12:00:00Z") or 0
Record = Mapping[str, Any]


def make_record(**changes: Any) -> dict[str, Any]:
    """Return the plain record with some fields changed. A changed `timestamp` is also the `recorded_at`."""
    if "timestamp" in changes:
        changes.setdefault("recorded_at", changes["timestamp"])
    return {**make_plain_record(NOW_US), **changes}


def load_records(records: Iterable[Record]) -> Oracle:
    """Load records, as the lines of one file, into an oracle."""
    return load({"a.jsonl": b"".join(write_line(record) + b"\n" for record in records)}, NOW_US)
