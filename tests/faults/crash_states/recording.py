"""Record a scenario's command, or the run that follows a crash in it."""

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.faults.crash_states.disks import different
from tests.faults.crash_states.folders import memory, write_disk
from tests.faults.crash_states.history import History, Recorder
from tests.faults.crash_states.recovery import read_state
from tests.faults.crash_states.scenarios import RUN, Scenario, pretend_current
from tests.faults.host import Host
from tests.faults.shim import Arming
from tests.faults.trace import read_trace
from tests.support.data_folder import DataFolder

_TRACE: Final = "trace"


@contextmanager
def recorded(
    scenario: Scenario, host: Host, rng: random.Random, plant: str = ""
) -> Iterator[tuple[DataFolder, History]]:
    """Run a scenario's command, and yield its folder and its history.

    Args:
        scenario: the command and its folder.
        host: runs the command under the shim.
        rng: chooses the crash after which the recorded run begins, if the scenario has one.
        plant: a fault to plant into the command.
    """
    with tempfile.TemporaryDirectory(dir=memory(), prefix="crash-") as name:
        folder = DataFolder(Path(name, "data").resolve())
        (folder.root / "raw").mkdir(parents=True)
        scenario.prepare(folder)
        history = _history(folder, host, scenario.command, plant, views=scenario.views)
        if scenario.again:
            _crash(folder, history, rng)
            history = _history(folder, host, RUN, plant, views=False)
        yield folder, history


def _history(folder: DataFolder, host: Host, command: tuple[str, ...], plant: str, *, views: bool) -> History:
    if not views:
        pretend_current(folder.root)
    recorder, trace = Recorder(folder.root), folder.root.with_name(_TRACE)
    arming = Arming(str(folder.root), trace=str(trace))
    ended = host.usage([*command, f"--data-dir={folder.root}"], arming=arming, plant=plant)
    assert ended.code == 0, ended
    recorder.add(read_trace(trace, folder.root))
    trace.unlink()
    return recorder.history


def _crash(folder: DataFolder, history: History, rng: random.Random) -> None:
    """Make the folder a disk on which a commit has begun and not ended."""
    for disk in different(history, rng):
        _, staged = read_state(disk.files)
        if not staged.isdisjoint(disk.files):
            write_disk(folder.root, disk.files, disk.folders)
            return
    raise AssertionError("no crash interrupts a commit")
