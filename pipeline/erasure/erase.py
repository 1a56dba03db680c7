"""Erases what is forgotten or expired from the tables, the quarantine and the API keys made by `usage keys`.

Adds tombstones, and carries them out before anything else happens to the tables:

    erasure/plan           which files, days and rejected lines the tombstones cover
    erasure/lifetime       what that takes from accounts whose credits are not renewed
    erasure/stage          steps 2 to 4 of a run, for the data that remain
    load/session.publish   steps 5 and 6
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pipeline import keys
from pipeline.contract.settings import Settings
from pipeline.load.job import DEFAULT_LIMITS, Limits
from pipeline.load.pool import executor
from pipeline.load.progress import Progress
from pipeline.load.repair import repair
from pipeline.load.session import Session, open_session
from pipeline.storage.opened import open_directory
from pipeline.storage.tombstones import Tombstone, Tombstones

if TYPE_CHECKING:
    from pipeline.erasure.plan import ErasurePlan


def erase(
    settings: Settings,
    now: int,
    tombstones: Iterable[Tombstone],
    progress: Progress | None = None,
    pause: Callable[[], None] = lambda: None,
    limits: Limits = DEFAULT_LIMITS,
    *,
    dry: bool,
) -> "ErasurePlan":
    """Add tombstones, erase what they cover, and return the plan.

    The tombstones are stored first: whatever happens after that, the next run erases what this one did not.

    Args:
        settings: the data folder and the number of processes.
        now: when the run starts, in microseconds UTC.
        tombstones: what is to be forgotten, or has expired.
        progress: receives progress reports.
        pause: called wherever the run can be stopped safely; raises an exception to stop it.
        limits: how much is done at once.
        dry: whether to only plan, and change nothing.

    Raises:
        BusyError: another run is at work.
        DamagedError: a file of the tables is not readable; a rebuild erases what is forgotten as well.
        TombstonesError: the tombstones are not readable.
        DirectoryError: the file of local API keys is not readable.
    """
    with open_session(settings, now, progress, pause) as session:
        return _plan(session, tombstones) if dry else _erase(session, tombstones, limits)


def carry_out(session: Session, tombstones: Tombstones, limits: Limits) -> "ErasurePlan | None":
    """Erase what the tombstones cover, and return the plan; None if an earlier run already did."""
    if tombstones.since(session.state.carried_out()) == Tombstones():
        return None
    removed = remove_keys(session, tombstones)  # before anything else, so that access ends first
    plan = _plan(session, [])
    plan.keys = removed
    if plan.is_empty:
        session.writer.carry_out(tombstones)
        return plan
    from pipeline.erasure.stage import stage  # noqa: PLC0415 - a run without tombstones needs none of its libraries

    workers = session.workers if len(plan.rerun) > limits.processes_days else 1
    job = session.job(tombstones, limits)
    try:
        with executor(workers) as pool:
            results = stage(plan, job, pool, workers, session)
        with session.stage("commit", "publishing"):
            session.publish(job, results, everything=False, carried_out=tombstones)
    finally:
        session.clear(job.staging)
    session.spent()  # the report of the run that follows does not count these seconds
    return plan


def remove_keys(session: Session, tombstones: Tombstones) -> int:
    """Remove the API keys of users and workspaces whose tombstones are new since the last run; return how many."""
    new = tombstones.since(session.state.carried_out())
    if new == Tombstones():
        return 0
    with open_directory(session.settings) as directory:
        return keys.forget(directory, new)


def _erase(session: Session, tombstones: Iterable[Tombstone], limits: Limits) -> "ErasurePlan":
    from pipeline.erasure.plan import ErasurePlan  # noqa: PLC0415 - a run without tombstones does without its libraries

    session.recover()
    wanted = session.tombstones()
    new: list[Tombstone] = []
    for tombstone in tombstones:
        if (more := wanted.with_more([tombstone])) != wanted:
            new.append(tombstone)
            wanted = more
    session.writer.add_tombstones(new)
    repair(session, wanted, limits)
    return carry_out(session, wanted, limits) or ErasurePlan()


def _plan(session: Session, more: Iterable[Tombstone]) -> "ErasurePlan":
    """Return the plan for the tombstones of the data folder and `more`, without those that are carried out already."""
    from pipeline.erasure import lifetime  # noqa: PLC0415 - a run without tombstones needs none of its libraries
    from pipeline.erasure.plan import make_plan  # noqa: PLC0415 - likewise

    tombstones = session.tombstones().with_more(more).since(session.state.carried_out())
    with session.stage("plan", "looking for what is erased"):
        plan = make_plan(session.store, tombstones, session.state.entries(), session.workers)
        with open_directory(session.settings) as directory:
            if tombstones.floor:
                expired = [key for key in plan.partitions if key[1] < tombstones.floor]
                plan.warnings = lifetime.warnings(session.store, directory, expired, session.workers)
            plan.keys = keys.forgotten(directory, tombstones)
    return plan
