"""`usage run --every` as a process of its own: it survives failed runs, and ends at a signal."""

import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from filelock import FileLock

from tests.support.command import done
from tests.support.data_folder import NOW, DataFolder, record
from tests.support.invoked import invoke
from tests.support.kills import RUN, halted, started
from tests.support.process import COMMAND, ENVIRONMENT


class Daemon:
    """A command that keeps running, and the lines that it says, on stdout and stderr."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.said: list[str] = []

    def until(self, *words: str) -> None:
        """Read until a line that contains all the words."""
        for line in self._lines:
            self.said.append(line)
            if all(word in line for word in words):
                return
        raise AssertionError(f"{words} not in {self.said}")


@contextmanager
def running(
    folder: DataFolder, every: str, number: signal.Signals = signal.SIGTERM, options: Sequence[str] = ()
) -> Iterator[Daemon]:
    """Start the command in a forked process, and demand that a signal ends it at once."""
    with started(folder, 0, "before", "any", (*RUN, "--every", every, *options)) as victim:
        daemon = Daemon(victim.said)
        yield daemon
        victim.send_signal(number)
        daemon.until("stopped; ")
        assert victim.end() == 128 + number, daemon.said


def test_ticks(folder: DataFolder) -> None:
    """The first run begins at once; each later run begins at its tick and loads the files that arrived since."""
    folder.drop("a.jsonl", [record("a")])
    with running(folder, "1s") as daemon:
        for name in "bcd":
            daemon.until("1 lines = 1 accepted")
            folder.drop(f"{name}.jsonl", [record(name)])
        daemon.until("1 lines = 1 accepted")
    assert set(folder.events()["id"]) == {"a", "b", "c", "d"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_while_it_waits(folder: DataFolder, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end even a long wait at once."""
    command = [*COMMAND, *RUN, "--every", "24h", "--data-dir", str(folder.root)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        daemon = Daemon(process.stdout)
        try:
            daemon.until("the next run is due at ", "T00:00:00Z")
        finally:
            process.send_signal(number)
        daemon.until("stopped; ")
        assert process.wait(timeout=30) == 128 + number, daemon.said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_while_it_runs(folder: DataFolder, number: signal.Signals, code: int) -> None:
    """At a signal, the current run ends at the next safe point, and no other run begins."""
    for name in "ab":
        folder.drop(f"{name}.jsonl", [record(f"{name}{k}") for k in range(20)])
    with halted(folder, "_read", (*RUN, "--every", "24h")) as victim:
        victim.send_signal(number)
        victim.resume()
        said = victim.said.read()
        assert victim.end() == code, said
    assert "stopped; " in said
    assert "due at" not in said
    assert not (folder.root / "published.json").exists()
    assert folder.run().accepted == 40


def test_missed_ticks(folder: DataFolder) -> None:
    """Ticks that pass during a run are skipped and reported."""
    folder.drop("a.jsonl", [record()])
    with halted(folder, "_read", (*RUN, "--every", "1s")) as victim:
        time.sleep(2.1)
        victim.resume()
        said = next(line for line in victim.said if "due meanwhile" in line)
        assert int(said.split()[0]) >= 2, said
        victim.send_signal(signal.SIGTERM)
        assert victim.end() == 143


def test_another_run_at_work(folder: DataFolder) -> None:
    """If another run holds the lock, the tick is skipped and exit code 75 reported; later ticks run."""
    folder.drop("a.jsonl", [record()])
    lock = FileLock(folder.root / "run.lock")
    with running(folder, "1s") as daemon:
        daemon.until("1 lines")
        with lock.acquire(timeout=30):
            folder.drop("b.jsonl", [record("b")])
            daemon.until("another run is at work")
            daemon.until("exit code 75")
        daemon.until("1 lines = 1 accepted")
    assert folder.events().height == 2


def test_a_failed_run(folder: DataFolder) -> None:
    """A failed run is reported with its error; once the cause is repaired, the next run succeeds."""
    folder.drop("a.jsonl", [record()])
    folder.run()
    published = folder.root / "published.json"
    good = published.read_bytes()
    published.write_text("{}")
    folder.drop("b.jsonl", [record("b")])
    with running(folder, "1s") as daemon:
        daemon.until("error: published.json")
        daemon.until("exit code 1")
        published.write_bytes(good)
        daemon.until("1 lines = 1 accepted")
    assert folder.events().height == 2


def test_no_raw_folder(folder: DataFolder) -> None:
    """A tick that finds no `raw/` says so, and creates nothing; as soon as it is there, the next one reads it."""
    (folder.root / "raw").rmdir()
    with running(folder, "1s") as daemon:
        for _ in range(2):
            daemon.until("raw cannot be listed: No such file or directory")
            daemon.until("exit code 2")
        assert not list(folder.root.iterdir())
        folder.drop("a.jsonl", [record()])
        daemon.until("1 lines = 1 accepted")


def test_reports_for_machines(folder: DataFolder) -> None:
    """With --json each run prints its report on one line."""
    folder.drop("a.jsonl", [record()])
    with running(folder, "24h", options=["--json"]) as daemon:
        daemon.until('"lines":1,', '"accepted":1,', '"ignored":{"count":0,')


@pytest.mark.parametrize("options", [["--rebuild"], ["--strict"], ["--now", NOW], ["a.jsonl"]])
def test_incompatible_options(folder: DataFolder, options: list[str]) -> None:
    """Exit code 2: options for a single run are refused together with --every."""
    result = invoke(["run", "--every", "5m", "--data-dir", str(folder.root), *options])
    done(result, 2)
    assert result.stderr.startswith("--every loads what is new")


def test_invalid_interval(folder: DataFolder) -> None:
    """Exit code 2: an invalid interval is refused with the reason."""
    result = invoke(["run", "--every", "7m", "--data-dir", str(folder.root)])
    done(result, 2)
    assert result.stderr.startswith("--every must be a part of a day")
