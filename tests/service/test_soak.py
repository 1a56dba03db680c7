"""The soak test, for a few seconds: answers stay consistent while the data change."""

import pytest

from benchmarks.soak import soak


@pytest.mark.parametrize("workers", [1, 2])
def test_soak(workers: int) -> None:
    """No answer is torn, lost or an error while runs commit, users are erased and the directory changes."""
    report = soak(5, workers, steps=3, pressure=False)
    assert report.errors == [], "\n".join(report.lines())
    assert report.commits >= 6
    assert report.checks.keys() == {"figures", "unchanged", "csv_table", "feed"}
    assert report.compared > 300
