"""Backups at random moments, each restored: after the next run the folder must hold what the model says."""

import random

from tests.faults.simulation.faults import Fault
from tests.faults.simulation.records import MOMENTS, USERS, WORKSPACES, record
from tests.faults.simulation.rules import NAMES, Simulation


def restore_backups(moments: int, seed: int) -> int:
    """Back up at random moments, restore each backup at once, run, and compare.

    A moment is before an operation of a run, between two runs, or after a run that was killed. Half of the backups are
    restored with the raw files that came later.

    Args:
        moments: how many backups.
        seed: chooses them.

    Returns:
        How many backups were restored.

    Raises:
        AssertionError: the restored folder holds something else, or `usage check` finds a fault.
    """
    rng, restored = random.Random(seed), 0
    while restored < moments:
        folder = Simulation()
        folder.begin(seed=rng.randrange(1 << 16))
        for _ in range(min(10, moments - restored)):
            _deliver(folder, rng)
            if rng.random() < 0.2:
                folder.load(Fault("kill before", rng.randint(1, 30)))
            kind, before = rng.choice(["sources", "everything"]), folder.last_backup
            folder.back_up(kind=kind, at=rng.randrange(30))
            if folder.last_backup == before:  # the run had fewer operations
                folder.back_up(kind=kind, at=0)
            _deliver(folder, rng)
            folder.load()
            folder.restore(number=folder.last_backup, newer=rng.random() < 0.5)
            folder.load()
            folder.agrees()
            restored += 1
        folder.teardown()
    return restored


def _deliver(folder: Simulation, rng: random.Random) -> None:
    """Write some lines to a file, or over it."""
    lines = [
        record(
            rng.choice("abcd"),
            rng.randrange(len(WORKSPACES)),
            rng.randrange(len(USERS)),
            rng.randrange(len(MOMENTS)),
            rng.randrange(4),
        )
        for _ in range(rng.randint(1, 3))
    ]
    folder.deliver(name=rng.choice(NAMES), lines=[*lines, b"bad"], kept=1.0, newline=True, in_place=rng.random() < 0.5)
