"""A run that is killed at any step leaves a state from which the next one reaches the tables of an undisturbed run."""

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.batches import batches, drop, state_of
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record
from tests.support.project import ROOT

# `usage` whose runs work with several processes, and a piece of work for each file, however small they are.
WITH_PROCESSES = """
from functools import partial
from pipeline import run
from pipeline.load.job import Limits
from service.commands import main
run.run = partial(run.run, limits=Limits(processes_bytes=-1, batch_bytes=-1))
main()
"""
VICTIM = str(ROOT / "tests/support/victim.py")
PARTS = 4  # in which all steps are tried, so that no test takes long
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def halted(folder: DataFolder, operation: str, *options: str) -> subprocess.Popen[str]:
    """Begin a run that halts before its first operation of a name, and return it as soon as it does."""
    command = [sys.executable, VICTIM, "1", "halt", operation, "--data-dir", str(folder.root), "--workers", "1"]
    process = subprocess.Popen(
        [*command, *(options or ("--now", NOW))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    found = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert found is not None
    assert found.si_code == os.CLD_STOPPED, process.communicate()
    return process


def await_of(process: subprocess.Popen[Any], seen: Callable[[], bool]) -> None:
    """Wait until something is seen of a process, which must not end before."""
    while not seen():
        assert process.poll() is None
        time.sleep(0.005)


def victim(folder: DataFolder, step: int, when: str, operation: str = "any") -> int:
    """Run the command and kill it at a step; return how it ended."""
    command = [
        sys.executable,
        VICTIM,
        str(step),
        when,
        operation,
        "--data-dir",
        str(folder.root),
        "--now",
        NOW,
        "--workers",
        "1",
    ]
    return subprocess.run(command, capture_output=True, check=False, env=ENVIRONMENT).returncode


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a folder that was loaded batch by batch without a kill."""
    folder = DataFolder(tmp_path_factory.mktemp("undisturbed") / "data")
    for number, batch in enumerate(batches()):
        folder.drop(f"{number}.jsonl", batch)
        folder.run()
    return folder


@pytest.mark.parametrize("killed", [0, 1])
@pytest.mark.parametrize("first", range(1, PARTS + 1))
def test_killed_at_every_step(undisturbed: DataFolder, tmp_path: Path, first: int, killed: int) -> None:
    """Killed at any step of the first or the second batch's run, the next runs give the undisturbed tables."""
    template = DataFolder(tmp_path / "template")
    for number in range(killed):
        drop(template, number)
        template.run()
    drop(template, killed)
    expected = state_of(undisturbed)
    for step in count(first, PARTS):
        folder = DataFolder(tmp_path / f"step-{step}")
        shutil.copytree(template.root, folder.root, ignore=shutil.ignore_patterns("raw"))
        shutil.copytree(template.root / "raw", folder.root / "raw", copy_function=os.link)  # raw files keep their inode
        ended = victim(folder, step, "before")
        folder.run()
        for number in range(killed + 1, len(batches())):
            drop(folder, number)
            folder.run()
        assert state_of(folder) == expected, step
        assert not list(folder.root.glob("staging/*"))
        shutil.rmtree(folder.root)
        if ended != -signal.SIGKILL:
            break
    assert ended == 0
    assert step > 20


def test_killed_again_and_again(undisturbed: DataFolder, folder: DataFolder) -> None:
    """Kills in a row, in the recovery of the one before too, lose and double nothing."""
    rng = random.Random(5)
    for number, batch in enumerate(batches()):
        folder.drop(f"{number}.jsonl", batch)
        for _ in range(4):
            victim(folder, rng.randrange(1, 30), rng.choice(["before", "after"]))
    folder.run()
    assert state_of(folder) == state_of(undisturbed)


def test_killed_at_any_time(undisturbed: DataFolder, folder: DataFolder) -> None:
    """Kills of a run with worker processes, whenever they come, lose and double nothing."""
    rng = random.Random(9)
    command = [
        sys.executable,
        "-c",
        WITH_PROCESSES,
        "run",
        "--workers",
        "2",
        "--data-dir",
        str(folder.root),
        "--now",
        NOW,
    ]
    for number, batch in enumerate(batches()):
        folder.drop(f"{number}.jsonl", batch)
        for _ in range(3):
            with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
                try:
                    process.wait(rng.uniform(0.2, 1.2))
                except subprocess.TimeoutExpired:
                    process.kill()
    folder.run()
    assert state_of(folder) == state_of(undisturbed)


def test_staging_lost_twice(undisturbed: DataFolder, folder: DataFolder) -> None:
    """A commit whose staged files are lost is made again, even when that is killed, from the sources."""
    folder.drop("0.jsonl", batches()[0])
    for _ in range(2):
        assert victim(folder, 1, "after", "begin") == -signal.SIGKILL
        shutil.rmtree(folder.root / "staging")
    folder.run()
    for number, batch in list(enumerate(batches()))[1:]:
        folder.drop(f"{number}.jsonl", batch)
        folder.run()
    assert state_of(folder) == state_of(undisturbed)


def test_staging_lost_in_a_rebuild(undisturbed: DataFolder, folder: DataFolder) -> None:
    """What a rebuild of some months staged is lost: nothing of it is done, and all raw files are read again."""
    for number in range(len(batches())):
        drop(folder, number)
        folder.run()
    expected = state_of(undisturbed)
    options = ["--rebuild", "--since", "2026-11", "--data-dir", str(folder.root), "--now", NOW, "--workers", "1"]
    command = [sys.executable, VICTIM, "1", "after", "begin", *options]
    killed = subprocess.run(command, capture_output=True, check=False, env=ENVIRONMENT).returncode
    assert killed == -signal.SIGKILL
    shutil.rmtree(folder.root / "staging")
    assert folder.run().files == len(batches())
    assert state_of(folder) == expected


def test_signal_to_all_processes(tmp_path: Path) -> None:
    """A signal to a run and its workers, as service managers send it, stops the run as one to the run alone does."""
    folder = DataFolder(tmp_path / "data")
    for name in "ab":
        folder.drop(f"{name}.jsonl", [record(f"{name}{k}") for k in range(50_000)])
    command = [
        sys.executable,
        "-c",
        WITH_PROCESSES,
        "run",
        "--workers",
        "2",
        "--data-dir",
        str(folder.root),
        "--now",
        NOW,
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        await_of(process, lambda: bool(list(folder.root.glob("staging/*/rows/*/*.arrow"))))  # the workers are at work
        os.killpg(process.pid, signal.SIGTERM)
        said = process.stderr.read()
    assert process.returncode == 143, said
    assert not list(folder.root.glob("staging/*"))
    assert folder.run().accepted == 100_000


def test_workers_follow_their_parent(tmp_path: Path) -> None:
    """Worker processes of a killed run end with it."""
    folder = DataFolder(tmp_path / "data")
    many = b"".join(b'{"id":"%d","workspace_id":"%s"}\n' % (number, WORKSPACE.encode()) for number in range(3_000))
    for number in range(4):
        folder.drop(f"{number}.jsonl", many)
    command = [
        sys.executable,
        "-c",
        WITH_PROCESSES,
        "run",
        "--data-dir",
        str(folder.root),
    ]
    with subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        await_of(process, lambda: len(tasks.read_text().split()) > 2)  # two workers and the resource tracker
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
def test_signals_stop_between_steps(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """SIGTERM and SIGINT stop a run at the next safe point, with nothing published and nothing lost."""
    folder = DataFolder(tmp_path / "data")
    for name in "ab":
        folder.drop(f"{name}.jsonl", [record(f"{name}{k}") for k in range(20)])
    with halted(folder, "_read") as process:
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate()
    assert process.returncode == code, said
    assert "stopped" in said
    assert not (folder.root / "published.json").exists()
    assert folder.run().accepted == 40
