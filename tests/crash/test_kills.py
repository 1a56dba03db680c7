"""A run that is killed at any step leaves a state from which the next run reaches the tables of an undisturbed run."""

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

PARTS = 4  # in which all steps are tried, so that no test takes long


@pytest.fixture(scope="module")
def ends_well() -> set[bytes]:
    """Return the outcomes of folders that are known to reach the undisturbed tables."""
    return set()


@pytest.mark.parametrize("killed", [0, 1])
@pytest.mark.parametrize("first", range(1, PARTS + 1))
def test_killed_at_every_step(
    undisturbed: DataFolder, ends_well: set[bytes], tmp_path: Path, first: int, killed: int
) -> None:
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
        ended = kill(folder, step, "before")
        folder.run()
        assert not list(folder.root.glob("staging/*"))
        recovered = outcome_of(folder)
        if recovered not in ends_well:  # equal folders go on in the same way
            for number in range(killed + 1, len(batches())):
                drop(folder, number)
                folder.run()
            assert state_of(folder) == expected, step
            assert not list(folder.root.glob("staging/*"))
            ends_well.add(recovered)
        shutil.rmtree(folder.root)
        if ended != -signal.SIGKILL:
            break
    assert ended == 0
    assert step > 20


def test_killed_again_and_again(undisturbed: DataFolder, folder: DataFolder) -> None:
    """Kills in a row, also while the run recovers from an earlier kill, lose and double nothing."""
    rng = random.Random(5)
    for number in range(len(batches())):
        drop(folder, number)
        for _ in range(4):
            kill(folder, rng.randrange(1, 30), rng.choice(["before", "after"]))
    folder.run()
    assert state_of(folder) == state_of(undisturbed)


def test_staging_lost_twice(undisturbed: DataFolder, folder: DataFolder) -> None:
    """A commit whose staged files are lost is made again from the raw files, even when that is killed too."""
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
    """When the staged files of a partial rebuild are lost, nothing of it is done and all raw files are read again."""
    for number in range(len(batches())):
        drop(folder, number)
        folder.run()
    expected = state_of(undisturbed)
    rebuild = (*RUN, "--rebuild", "--since", "2026-11")
    assert kill(folder, 1, "after", "begin", rebuild) == -signal.SIGKILL
    shutil.rmtree(folder.root / "staging")
    assert folder.run().files == len(batches())
    assert state_of(folder) == expected
