"""The soak test, for a few seconds: answers stay consistent while the data change."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import churn, faults, soak
from benchmarks.serving import Process
from tests.support.process import service
from tests.support.victim import Victim


def run_forked(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
    """Run `usage` in a forked process, which saves the second or more that its imports take."""
    process = Victim(tuple(command[1:]), step=0, when="before")
    try:
        said = process.said.read()
        return subprocess.CompletedProcess(command, process.end(), "", said)
    finally:
        process.close()


@contextmanager
def served_forked(data: Path, _: None, *, workers: int = 1, port: int = 0) -> Iterator[Process]:
    """Run `usage serve` in a forked process, for the same reason."""
    options = ("--workers", str(workers), "--port", str(port))
    with service(data, *options, now=None, number=signal.SIGTERM) as running:
        yield Process(running.url, running.process.pid)


@pytest.mark.parametrize("workers", [1, 2])
def test_soak(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    """No answer is torn, lost or an error while runs commit, users are erased and the directory changes.

    With two workers, one is killed meanwhile, and the service is restarted, but no month is rebuilt.
    """
    monkeypatch.setattr(churn, "subprocess", SimpleNamespace(run=run_forked))
    monkeypatch.setattr(churn, "_FIRST_BATCHES", 10)
    for module in (soak, faults):
        monkeypatch.setattr(module, "served", served_forked)
    report = soak.soak(0, workers, steps=4 - workers, pressure=False, faults=workers > 1)
    assert report.errors == [], "\n".join(report.lines())
    assert report.commits >= 8 - 2 * workers
    assert (report.kills > 0, report.restarts > 0) == (workers > 1, workers > 1)
    assert report.checks.keys() == {"figures", "unchanged", "csv_table", "feed"}
    assert report.compared > 300
