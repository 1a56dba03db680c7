"""The soak test, for a few seconds: answers stay consistent while the data change."""

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import churn
from benchmarks.soak import soak
from tests.support.victim import Victim


def run_forked(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
    """Run `usage` in a forked process, which saves the second or more that its imports take."""
    process = Victim(tuple(command[1:]), step=0, when="before")
    try:
        said = process.said.read()
        return subprocess.CompletedProcess(command, process.end(), "", said)
    finally:
        process.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_soak(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    """No answer is torn, lost or an error while runs commit, users are erased and the directory changes.

    With two workers, one is killed meanwhile, and the service is restarted.
    """
    monkeypatch.setattr(churn, "subprocess", SimpleNamespace(run=run_forked))
    report = soak(5, workers, steps=3, pressure=False, faults=workers > 1)
    assert report.errors == [], "\n".join(report.lines())
    assert report.commits >= 6
    assert (report.kills > 0, report.restarts > 0) == (workers > 1, workers > 1)
    assert report.checks.keys() == {"figures", "unchanged", "csv_table", "feed"}
    assert report.compared > 300
