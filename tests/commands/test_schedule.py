"""`usage run --every` as a real process: it goes on whatever becomes of a run, and ends when it is asked to."""

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from pipeline.commands.app import app
from tests.support.command import done
from tests.support.data_folder import NOW, DataFolder, record
from tests.support.kills import RUN, halted
from tests.support.process import COMMAND, ENVIRONMENT


class Daemon:
    """A command that goes on, with all that it says in one stream."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self._lines = iter(process.stdout)
        self.said: list[str] = []

    def until(self, *words: str) -> None:
        """Read on until it says a line with some words."""
        for line in self._lines:
            self.said.append(line)
            if all(word in line for word in words):
                return
        raise AssertionError(f"{words} not in {self.said}")


@contextmanager
def going_on(
    folder: DataFolder, every: str, number: signal.Signals = signal.SIGTERM, options: Sequence[str] = ()
) -> Iterator[Daemon]:
    """Start the command, and demand that a signal ends it at once."""
    command = [*COMMAND, *RUN, "--every", every, "--data-dir", str(folder.root), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
    ) as process:
        daemon = Daemon(process)
        try:
            yield daemon
        finally:
            process.send_signal(number)
        daemon.until("stopped; ")
        assert process.wait(timeout=30) == 128 + number, daemon.said


def test_ticks(folder: DataFolder) -> None:
    """The first run begins at once, the next ones find at their ticks what came since."""
    folder.drop("a.jsonl", [record("a")])
    with going_on(folder, "1s") as daemon:
        for name in "bcd":
            daemon.until("1 lines = 1 accepted")
            folder.drop(f"{name}.jsonl", [record(name)])
        daemon.until("1 lines = 1 accepted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_while_it_waits(folder: DataFolder, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the waiting at once, however long it would have been."""
    with going_on(folder, "24h", number) as daemon:
        daemon.until("the next run is due at ", "T00:00:00Z")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_while_it_runs(folder: DataFolder, number: signal.Signals, code: int) -> None:
    """A run under way ends at the next safe point, and no other one begins."""
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
    """What was due while a run was at work is left out, and that is said."""
    folder.drop("a.jsonl", [record()])
    with halted(folder, "_read", (*RUN, "--every", "1s")) as victim:
        time.sleep(2.1)
        victim.resume()
        said = next(line for line in victim.said if "due meanwhile" in line)
        assert int(said.split()[0]) >= 2, said
        victim.send_signal(signal.SIGTERM)
        assert victim.end() == 143


def test_another_run_at_work(folder: DataFolder) -> None:
    """Where another run holds the folder that tick is left out, with exit code 75 in words; later ones go on."""
    folder.drop("a.jsonl", [record()])
    lock = FileLock(folder.root / "run.lock")
    with going_on(folder, "1s") as daemon:
        daemon.until("1 lines")
        with lock.acquire(timeout=30):
            folder.drop("b.jsonl", [record("b")])
            daemon.until("another run is at work")
            daemon.until("exit code 75")
        daemon.until("1 lines = 1 accepted")


def test_a_failed_run(folder: DataFolder) -> None:
    """What made a run fail is said; once it is mended the next one goes on."""
    folder.drop("a.jsonl", [record()])
    folder.run()
    published = folder.root / "published.json"
    good = published.read_bytes()
    published.write_text("{}")
    folder.drop("b.jsonl", [record("b")])
    with going_on(folder, "1s") as daemon:
        daemon.until("error: published.json")
        daemon.until("exit code 1")
        published.write_bytes(good)
        daemon.until("1 lines = 1 accepted")


def test_no_raw_folder(folder: DataFolder) -> None:
    """A tick that finds no `raw/` says so, and creates nothing; as soon as it is there, the next one reads it."""
    (folder.root / "raw").rmdir()
    with going_on(folder, "1s") as daemon:
        for _ in range(2):
            daemon.until("raw cannot be listed: No such file or directory")
            daemon.until("exit code 2")
        assert not list(folder.root.iterdir())
        folder.drop("a.jsonl", [record()])
        daemon.until("1 lines = 1 accepted")


def test_reports_for_machines(folder: DataFolder) -> None:
    """With --json each run prints its report on one line."""
    folder.drop("a.jsonl", [record()])
    with going_on(folder, "24h", options=["--json"]) as daemon:
        daemon.until('"lines":1,', '"accepted":1,', '"ignored":{"count":0,')


@pytest.mark.parametrize("options", [["--rebuild"], ["--strict"], ["--now", NOW], ["a.jsonl"]])
def test_not_together(folder: DataFolder, options: list[str]) -> None:
    """2: what is for one run only does not go with --every."""
    result = CliRunner().invoke(app, ["run", "--every", "5m", "--data-dir", str(folder.root), *options])
    done(result, 2)
    assert result.stderr.startswith("--every loads what is new")


def test_no_interval(folder: DataFolder) -> None:
    """2: an interval that is none is refused with the reason."""
    result = CliRunner().invoke(app, ["run", "--every", "7m", "--data-dir", str(folder.root)])
    done(result, 2)
    assert result.stderr.startswith("--every must be a part of a day")
