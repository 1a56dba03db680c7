"""`usage run --every` does not grow: memory that a run freed goes back to the system."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands import schedule
from pipeline.commands.run_metrics import RunMetrics
from pipeline.commands.signals import Stop
from pipeline.contract.settings import Settings
from tests.support.project import ROOT

# Threads that work at the same time, each with a large block, as the stages of a run do.
THREADS = """
import sys, threading
from pipeline.startup import bound_free_memory
from benchmarks.measuring import resident_kib
import os
if sys.argv[1] == "bounded":
    bound_free_memory()
bytearray(b"x" * (28 << 20))  # from now on, glibc would take blocks of up to this size from its arenas
before = resident_kib(os.getpid())
for _ in range(3):
    together = threading.Barrier(6)
    def work():
        together.wait()
        block = bytearray(b"x" * (12 << 20))
        small = [bytes(5000) for _ in range(100)]
        together.wait()
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(resident_kib(os.getpid()) - before)
"""


def grown_kib(how: str) -> int:
    """Return by how much a process grows in which threads come and go."""
    command = [sys.executable, "-c", THREADS, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other C libraries")
def test_threads_leave_nothing_behind() -> None:
    """Blocks of threads that ended do not stay with the process; those of a process as it starts do."""
    assert grown_kib("bounded") < 12 << 10 < grown_kib("as it starts")


def test_after_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is bounded before its first run, and releases memory after each one, a failed one too."""
    happened: list[str] = []

    def run_once(_: Settings, now: int, stop: Stop, *, as_json: bool, metrics: RunMetrics | None) -> None:
        assert now
        assert not as_json
        assert metrics is None
        happened.append("run")
        if len(happened) > 4:
            stop.ask(15)
            stop.pause()
        raise SystemExit(len(happened) % 2)

    monkeypatch.setattr(schedule, "run_once", run_once)
    monkeypatch.setattr(schedule, "bound_free_memory", lambda: happened.append("bound"))
    monkeypatch.setattr(schedule, "release_free_memory", lambda: happened.append("release"))
    monkeypatch.setattr(Stop, "wait", lambda *_: None)
    monkeypatch.setattr(schedule, "next_tick", lambda now, interval: now - interval)
    with pytest.raises(SystemExit):
        schedule.repeat(Settings.read({}, data_dir=tmp_path), 1_000_000, as_json=False)
    assert happened == ["bound", "run", "release", "run", "release", "run"]
