"""Different disks that a crash in a command may leave, at any moment and by all models."""

import random
from collections.abc import Iterator
from typing import Final

from tests.faults.crash_states.history import History
from tests.faults.crash_states.models import MODELS, Disk
from tests.faults.crash_states.moments import Moment

_PATIENCE: Final = 60  # disks in a row that were yielded before: then a source has hardly any more

_RENAMES: Final = 2  # as many disks for a rename as for so many files


def different(history: History, rng: random.Random) -> Iterator[Disk]:
    """Yield different disks, until hardly any new ones turn up."""
    moments = [Moment(history, number) for number in history.moments()]
    sources = [model(moment, rng) for moment in moments for model in MODELS]
    weights = [_weight(moment) for moment in moments for _ in MODELS]
    patience = [_PATIENCE] * len(sources)
    seen: set[int] = set()
    while any(weights):
        (number,) = rng.choices(range(len(sources)), weights)
        disk = next(sources[number])
        patience[number] -= 1
        if disk.digest not in seen:
            seen.add(disk.digest)
            patience[number] = _PATIENCE
            yield disk
        if not patience[number]:
            weights[number] = 0


def _weight(moment: Moment) -> int:
    """Return how many disks to take from a moment: more where more can be lost, above all renames, which publish."""
    renames = sum(entry.renamed for entries in moment.unsynced_folders.values() for entry in entries)
    return 1 + len(moment.unsynced) + len(moment.unsynced_folders) + _RENAMES * renames
