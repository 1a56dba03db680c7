"""What is forgotten or expired taken away: from the tables, the quarantine and the keys made here.

Lays tombstones, and carries them out before anything else is done with the tables:

    remains.find       which files, days and rejected lines stand of what has a tombstone
    work.withdraw      the days folded again without it, by steps 3 and 4 of a run; then 5 and 6
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from pipeline.contract.settings import Settings
from pipeline.load.pool import executor
from pipeline.load.progress import Progress
from pipeline.load.session import Run, begun
from pipeline.storage.tombstones import Tombstone, Tombstones, append

if TYPE_CHECKING:
    from pipeline.erasure.plan import ErasurePlan

# Below this a run is over before other processes have started.
_PROCESSES_DAYS: Final = 1_000


def erase(
    settings: Settings,
    now: int,
    tombstones: Iterable[Tombstone],
    progress: Progress | None = None,
    pause: Callable[[], None] = lambda: None,
    *,
    dry: bool,
) -> "ErasurePlan":
    """Lay tombstones, and take away what stands of them; return what that is.

    The stones are laid first: whatever happens then, the next run takes away what this one did not.

    Args:
        settings: the data folder and how many processes may work.
        now: when the run starts, in microseconds UTC.
        tombstones: what is forgotten, or expired.
        progress: is told how the run goes.
        pause: is called wherever the run can be stopped without harm; to stop it, it raises.
        dry: whether nothing is to be done, only found out.

    Raises:
        BusyError: another run is at work.
        DamagedError: a file of the tables is not readable; a rebuild takes away what is forgotten as well.
        TombstonesError: what was forgotten before cannot be told.
        KeysError: the keys made here cannot be told.
    """
    with begun(settings, now, progress, pause) as run:
        return _find(run, tombstones) if dry else _erase(run, tombstones)


def carry_out(run: Run, tombstones: Tombstones) -> "ErasurePlan | None":
    """Take away what stands of the tombstones; None where that was done before."""
    if tombstones.since(run.state.carried_out()) == Tombstones():
        return None
    from pipeline.load import stages  # noqa: PLC0415 - a run with nothing to take away does without its libraries

    keys = remove_keys(run, tombstones)  # access goes first
    found = _find(run, [])
    found.keys = keys
    if found.nothing:
        run.state.carry_out(tombstones, "")
        return found
    workers = run.workers if len(found.rerun) > _PROCESSES_DAYS else 1
    job = run.job(tombstones)
    try:
        with executor(workers) as pool:
            done = stages.erase(found, job, pool, workers, run)
        with run.stage("commit", "publishing"):
            run.publish(job, done, everything=False, carried_out=tombstones)
            run.store.sync()  # what was taken away must not come back when the power fails now
            run.state.settle()
    finally:
        run.clear(job.staging)
    run.spent()  # not by what the run does next
    return found


def remove_keys(run: Run, tombstones: Tombstones) -> int:
    """Remove the keys made here of whom tombstones were laid for since the last run; return how many."""
    new = tombstones.since(run.state.carried_out())
    if new == Tombstones():
        return 0
    from pipeline import keys  # noqa: PLC0415 - as `work` above

    return keys.forget(run.store.root, new)


def _erase(run: Run, tombstones: Iterable[Tombstone]) -> "ErasurePlan":
    from pipeline.erasure.plan import ErasurePlan  # noqa: PLC0415 - as `work` above

    run.recover()
    wanted = Tombstones.read(run.store.root)
    for stone in tombstones:
        if (more := wanted.with_more([stone])) != wanted:
            append(run.store.root, stone)
            wanted = more
    return carry_out(run, wanted) or ErasurePlan()


def _find(run: Run, more: Iterable[Tombstone]) -> "ErasurePlan":
    """Return what stands of tombstones that may be laid, and of those that are."""
    from pipeline import keys  # noqa: PLC0415 - as `work` above
    from pipeline.erasure import plan  # noqa: PLC0415 - as `work` above

    tombstones = Tombstones.read(run.store.root).with_more(more).since(run.state.carried_out())
    with run.stage("find", "looking for what has to go"):
        lost = bool(run.state.forgotten()) or not run.state.is_trusted()
        found = plan.find(run.store, tombstones, run.state.entries(), run.workers, thorough=lost)
    found.keys = keys.forgotten(run.store.root, tombstones)
    return found
