"""If a run is killed at any step, the next run reaches the tables of an undisturbed run."""

import os
import random
import shutil
import signal
from itertools import count
from pathlib import Path

import pytest

from tests.support.batches import batches, drop, state_of
from tests.support.data_folder import DataFolder
from tests.support.kills import RUN, kill
from tests.support.outcome import outcome_of

PARTS = 4  # tests that share the steps, so that none takes long


@pytest.fixture(scope="module")
def recovering_outcomes() -> set[bytes]:
    """Return a set that collects the outcomes known to lead to the undisturbed tables."""
    return set()


@pytest.mark.parametrize("killed", [0, 1])
@pytest.mark.parametrize("first", range(1, PARTS + 1))
def test_killed_at_every_step(
    undisturbed: DataFolder, recovering_outcomes: set[bytes], tmp_path: Path, first: int, killed: int
) -> None:
    """After a kill at any step of the first or second batch's run, the next runs give the undisturbed tables."""
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
        ended = kill(folder, step, "before")
        folder.run()
        assert not list(folder.root.glob("staging/*"))
        recovered = outcome_of(folder)
        if recovered not in recovering_outcomes:  # folders with equal outcomes continue alike
            for number in range(killed + 1, len(batches())):
                drop(folder, number)
                folder.run()
            assert state_of(folder) == expected, step
            assert not list(folder.root.glob("staging/*"))
            recovering_outcomes.add(recovered)
        shutil.rmtree(folder.root)
        if ended != -signal.SIGKILL:
            break
    assert ended == 0
    assert step > 20


def test_killed_again_and_again(undisturbed: DataFolder, folder: DataFolder) -> None:
    """Repeated kills, even during recovery from an earlier one, lose no line and count none twice."""
    rng = random.Random(5)
    for number in range(len(batches())):
        drop(folder, number)
        for _ in range(4):
            kill(folder, rng.randrange(1, 30), rng.choice(["before", "after"]))
    folder.run()
    assert state_of(folder) == state_of(undisturbed)


def test_staging_lost_twice(undisturbed: DataFolder, folder: DataFolder) -> None:
    """If the staged files of a commit are lost twice in a row, the next run reads the raw files again."""
    drop(folder, 0)
    for _ in range(2):
        assert kill(folder, 1, "after", "begin") == -signal.SIGKILL
        shutil.rmtree(folder.root / "staging")
    folder.run()
    for number in range(1, len(batches())):
        drop(folder, number)
        folder.run()
    assert state_of(folder) == state_of(undisturbed)


def test_staging_lost_in_a_rebuild(undisturbed: DataFolder, folder: DataFolder) -> None:
    """If the staged files of a partial rebuild are lost, the next run reads all raw files again."""
    for number in range(len(batches())):
        drop(folder, number)
        folder.run()
    expected = state_of(undisturbed)
    rebuild = (*RUN, "--rebuild", "--since", "2026-11")
    assert kill(folder, 1, "after", "begin", rebuild) == -signal.SIGKILL
    shutil.rmtree(folder.root / "staging")
    assert folder.run().files == len(batches())
    assert state_of(folder) == expected
