"""If a run is killed at any step, the next run reaches the tables of an undisturbed run."""

import random
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.batches import batches, drop, state_of
from tests.support.data_folder import DataFolder
from tests.support.kills import RUN, kill
from tests.support.outcome import outcome_of
from tests.support.snapshots import copied_with_links, snapshots

REALLY_KILLED = (1, 6, 15, 22)  # steps at which a process is killed, to compare what it leaves


@pytest.fixture(scope="module")
def recovering_outcomes() -> set[bytes]:
    """Return a set that collects the outcomes known to lead to the undisturbed tables."""
    return set()


def about_to_run(root: Path, batch: int) -> DataFolder:
    """Return a folder where earlier batches are loaded, and one more is still to load."""
    folder = DataFolder(root)
    for number in range(batch):
        drop(folder, number)
        folder.run(folder.now - 1_000_000)  # so that the ids of runs sort in their order
    drop(folder, batch)
    return folder


@pytest.mark.parametrize("killed", [0, 1])
def test_killed_at_every_step(
    undisturbed: DataFolder, recovering_outcomes: set[bytes], tmp_path: Path, killed: int
) -> None:
    """After a kill at any step of the first or second batch's run, the next runs give the undisturbed tables."""
    template = about_to_run(tmp_path / "template", killed)
    steps = snapshots(template, tmp_path, template.run)
    assert len(steps) > 20
    expected = state_of(undisturbed)
    for folder in [*steps, template]:
        folder.run()
        assert not list(folder.root.glob("staging/*"))
        recovered = outcome_of(folder)
        if recovered not in recovering_outcomes:  # folders with equal outcomes continue alike
            for number in range(killed + 1, len(batches())):
                drop(folder, number)
                folder.run()
            assert state_of(folder) == expected, folder.root.name
            assert not list(folder.root.glob("staging/*"))
            recovering_outcomes.add(recovered)


@pytest.mark.parametrize("killed", [0, 1])
def test_what_a_kill_leaves(tmp_path: Path, killed: int) -> None:
    """A killed process leaves the files as they were before the step, as the test of every step takes for granted."""
    template = about_to_run(tmp_path / "template", killed)
    folders = {step: copied_with_links(template, tmp_path / f"killed-{step}") for step in REALLY_KILLED}
    steps = snapshots(template, tmp_path, template.run)
    for step, folder in folders.items():
        assert kill(folder, step, "before") == -signal.SIGKILL
        assert outcome_of(folder) == outcome_of(steps[step - 1]), step


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
