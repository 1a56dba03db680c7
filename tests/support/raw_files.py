"""Raw files with one plain record a line, and the results of their run."""

import json

from pipeline.load.results import RunReport
from tests.support.data_folder import DataFolder, record


def lines(*ids: str, kind: str = "text_to_speech") -> bytes:
    """Return the bytes of a raw file with a good record for each id."""
    return b"".join(json.dumps(record(id_, kind=kind)).encode() + b"\n" for id_ in ids)


def ids(folder: DataFolder) -> set[str]:
    """Return the ids of all events."""
    return set(folder.events()["id"])


def numbers(report: RunReport) -> tuple[int, int, int, int, int]:
    """Return a run's lines, accepted, duplicates, rejected and blank, after asserting that they add up."""
    assert report.lines == report.accepted + report.duplicates + report.rejected + report.blank
    return report.lines, report.accepted, report.duplicates, report.rejected, report.blank
