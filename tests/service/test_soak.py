"""The load test of minutes, for seconds: the service agrees with itself while everything underneath it changes."""

import pytest

from benchmarks.soak import soak


@pytest.mark.parametrize("workers", [1, 2])
def test_soak(workers: int) -> None:
    """No answer is torn, lost or an error while runs commit, users are forgotten and the directory changes."""
    report = soak(5, workers, steps=3, pressure=False)
    assert report.errors == [], "\n".join(report.lines())
    assert report.commits >= 6
    assert report.checks.keys() == {"figures", "unchanged", "sheet", "feed"}
    assert report.compared > 300
