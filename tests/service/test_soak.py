"""The soak test, for a few seconds: answers stay consistent while the data change."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import churn, faults, soak
from benchmarks.consistency_reader import ACTIVITY, LANGUAGE, SUMMARY
from benchmarks.serving import Process
from tests.support.forked_command import command
from tests.support.missing import skip
from tests.support.process import service
from tests.support.victim import Victim

# What is compared of each workspace at the end, where there is little time.
PATHS = [f"{SUMMARY}?range=90d&activity_view=monthly", f"{LANGUAGE}?range=60d", f"{ACTIVITY}?limit=100"]

READERS = 3  # that ask without a pause; more of them keep the commits waiting


def run_forked(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
    """Run `usage` in a forked process, which saves the second or more that its imports take."""
    process = Victim(tuple(command[1:]), step=0, when="before")
    try:
        said = process.said.read()
        return subprocess.CompletedProcess(command, process.end(), "", said)
    finally:
        process.close()


def run_on_objects(folder: Path, arguments: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
    """Run `usage` in a forked process that finds the object store."""
    settings = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "USAGE_"))}
    ended = command(folder, arguments[1:], settings=settings)
    return subprocess.CompletedProcess(arguments, ended.code or 0, "", ended.stderr.decode())


@contextmanager
def served_forked(
    data: Any, _: None, *, workers: int = 1, port: int = 0, settings: Mapping[str, str]
) -> Iterator[Process]:
    """Run `usage serve` in a forked process, for the same reason."""
    options = ("--workers", str(workers), "--port", str(port))
    endpoint = {name: value for name, value in os.environ.items() if name == "USAGE_S3_ENDPOINT"}
    with service(data, *options, now=None, number=signal.SIGTERM, **endpoint, **settings) as running:
        yield Process(running.url, running.process.pid)


def test_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is torn, lost or an error while runs commit, users are erased and the directory changes.

    Meanwhile a worker is killed, the service is restarted, and all months are rebuilt.
    """
    monkeypatch.setattr(churn, "subprocess", SimpleNamespace(run=run_forked))
    monkeypatch.setattr(churn, "_FIRST_BATCHES", 10)
    for module in (soak, faults):
        monkeypatch.setattr(module, "served", served_forked)
    monkeypatch.setattr(soak, "_THREADS", READERS)
    report = soak.soak(0, workers=2, steps=3, pressure=False, faults=True)
    assert report.errors == [], "\n".join(report.lines())
    assert report.commits >= 6
    assert (report.kills > 0, report.restarts > 0) == (True, True)
    assert report.checks.keys() == {"figures", "unchanged", "csv_table", "feed"}
    assert report.compared > 300


def test_replicas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same with two services of an object store, which have a key that only reads."""
    if find_spec("obstore") is None:
        skip("obstore is not installed")
    monkeypatch.setattr(churn, "subprocess", SimpleNamespace(run=partial(run_on_objects, tmp_path)))
    monkeypatch.setattr(churn, "_FIRST_BATCHES", 5)
    monkeypatch.setattr(soak, "_paths", lambda: PATHS)
    monkeypatch.setattr(soak, "_THREADS", READERS)
    for module in (soak, faults):
        monkeypatch.setattr(module, "served", served_forked)
    report = soak.soak(0, 1, steps=3, pressure=False, replicas=2, directory=False)
    assert report.errors == [], "\n".join(report.lines())
    assert report.commits >= 6
    assert report.read_only
    assert report.checks.keys() == {"figures", "unchanged", "csv_table", "feed"}
    assert report.compared == 2 * churn.WORKSPACES * len(PATHS)
