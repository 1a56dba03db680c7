"""If a run with worker processes is killed or stopped at any time, it loses no line and leaves no process."""

import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.batches import batches, drop, state_of
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record
from tests.support.kills import halted
from tests.support.process import ENVIRONMENT, wait_until

# `usage` with several processes and one batch per file, however small the files are.
WITH_PROCESSES = """
from functools import partial
from pipeline import run
from pipeline.load.job import Limits
from service.commands import main
run.run = partial(run.run, limits=Limits(processes_bytes=-1, batch_bytes=-1))
main()
"""


def command(folder: DataFolder) -> list[str]:
    """Return the command line of a run with two worker processes."""
    options = ["--workers", "2", "--data-dir", str(folder.root), "--now", NOW]
    return [sys.executable, "-c", WITH_PROCESSES, "run", *options]


def test_killed_at_any_time(undisturbed: DataFolder, folder: DataFolder) -> None:
    """A run with worker processes that is killed at any time loses no line and counts none twice."""
    rng = random.Random(9)
    for number in range(len(batches())):
        drop(folder, number)
        for _ in range(3):
            with subprocess.Popen(
                command(folder), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=ENVIRONMENT
            ) as process:
                try:
                    process.wait(rng.uniform(0.2, 1.2))
                except subprocess.TimeoutExpired:
                    process.kill()
    folder.run()
    assert state_of(folder) == state_of(undisturbed)


def test_signal_to_all_processes(folder: DataFolder) -> None:
    """A signal to a run and all its workers, as service managers send it, stops the run cleanly."""
    for name in "ab":
        folder.drop(f"{name}.jsonl", [record(f"{name}{k}") for k in range(50_000)])
    with subprocess.Popen(
        command(folder), stderr=subprocess.PIPE, text=True, start_new_session=True, env=ENVIRONMENT
    ) as process:
        assert process.stderr is not None
        wait_until(process, lambda: bool(list(folder.root.glob("staging/*/*/rows/*.arrow"))))  # workers are reading
        os.killpg(process.pid, signal.SIGTERM)
        said = process.stderr.read()
    assert process.returncode == 143, said
    assert not list(folder.root.glob("staging/*"))
    assert folder.run().accepted == 100_000


def test_workers_end_with_their_parent(folder: DataFolder) -> None:
    """The worker processes of a killed run end with it."""
    many = b"".join(b'{"id":"%d","workspace_id":"%s"}\n' % (number, WORKSPACE.encode()) for number in range(3_000))
    for number in range(4):
        folder.drop(f"{number}.jsonl", many)
    with subprocess.Popen(command(folder), stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stderr is not None
        tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(process, lambda: len(tasks.read_text().split()) > 2)  # two workers and the resource tracker
        children = [int(child) for child in tasks.read_text().split()]
        process.kill()
        process.wait()
        for child in children:
            pidfd = os.pidfd_open(child) if Path(f"/proc/{child}").exists() else None
            if pidfd is not None:
                assert select.select([pidfd], [], [], 30)[0], "a worker outlived its parent"
                os.close(pidfd)
    folder.run()
    assert folder.run().files == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_stop_a_run_between_steps(folder: DataFolder, number: signal.Signals, code: int) -> None:
    """SIGTERM and SIGINT stop a run at the next safe point. It publishes nothing and loses nothing."""
    for name in "ab":
        folder.drop(f"{name}.jsonl", [record(f"{name}{k}") for k in range(20)])
    with halted(folder, "_read") as victim:
        victim.send_signal(number)
        victim.resume()
        assert victim.end() == code, victim.said.read()
        assert "stopped" in victim.said.read()
    assert not (folder.root / "published.json").exists()
    assert folder.run().accepted == 40
