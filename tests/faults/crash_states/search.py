"""Try the disks that a crash of one command may leave: record the command, look at each disk, recover it."""

import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.faults.crash_states.disks import different
from tests.faults.crash_states.folders import write_disk
from tests.faults.crash_states.models import Disk
from tests.faults.crash_states.readers import Readers, WrongError
from tests.faults.crash_states.recording import recorded
from tests.faults.crash_states.recovery import Recovery
from tests.faults.crash_states.scenarios import Scenario
from tests.faults.crash_states.views import Views
from tests.faults.host import Host


class _Recovering(Protocol):
    """What recovers disks, and counts those that a run can tell apart."""

    count: int

    def is_new(self, disk: Disk, *, ended: bool) -> bool:
        """Return whether a run can tell a disk from all earlier ones."""

    def recover(self, disk: Disk, *, ended: bool) -> None:
        """Raise an error unless a disk is recovered."""


@dataclass
class Found:
    """What a search found.

    Attributes:
        steps: of the command.
        disks: different ones that were looked at.
        recovered: those of them that a run can tell from all others.
        seconds: of CPU.
        wrong: what was wrong with some, and where they come from.
    """

    steps: int = 0
    disks: int = 0
    recovered: int = 0
    seconds: float = 0
    wrong: list[str] = field(default_factory=list)


def search(
    scenario: Scenario,
    host: Host,
    *,
    seed: int,
    disks: int,
    recoveries: int = sys.maxsize,
    plant: str = "",
    stop: int = 1,
    keep: Path | None = None,
) -> Found:
    """Look at disks of a scenario, and let a run recover them.

    Args:
        scenario: the command and its folder.
        host: runs the command under the shim.
        seed: chooses the disks.
        disks: at most this many different ones.
        recoveries: how many disks are recovered; after that, only disks count that a run cannot tell from these.
        plant: a fault to plant into the command.
        stop: how many wrong disks are enough.
        keep: the folder that gets copies of the wrong disks; None: nobody needs them.
    """
    start, found, rng = time.process_time(), Found(), random.Random(f"{seed} {scenario.name}")
    with recorded(scenario, host, rng, plant) as (folder, history):
        found.steps = len(history.steps)
        readers = Readers(history, scenario.erases)
        recovery: _Recovering = Views(folder) if scenario.views else Recovery(scenario, folder, readers)
        for disk in different(history, rng):
            ended = disk.moment.number == len(history.steps)
            try:
                readers.look(disk, ended=ended)
                if recovery.count == recoveries and recovery.is_new(disk, ended=ended):
                    continue
                found.disks += 1
                recovery.recover(disk, ended=ended)
            except WrongError as error:
                found.wrong.append(f"{disk.made_by} of {len(history.steps)}: {error}")
                if keep is not None:
                    copy = keep / f"{scenario.name}, {len(found.wrong)}"
                    copy.mkdir(parents=True)
                    write_disk(copy, disk.files, disk.folders)
            if found.disks == disks or len(found.wrong) == stop:
                break
        found.recovered = recovery.count
    found.seconds = time.process_time() - start
    return found
