"""Repairs months of which a lost commit may have published a part: rolls all of their stored events up again.

Reads the stored events of these months; writes, under the run's staging folder, whatever steps 3 and 4 of a run write,
and commits it. A commit is lost if its staged files are. The next run reads its raw files again, but they may have
changed or gone meanwhile, and then nothing else would make the tables agree again.
"""

from calendar import monthrange

from pipeline.load.job import Limits
from pipeline.load.pool import executor
from pipeline.load.session import Session
from pipeline.storage.tombstones import Tombstones


def repair(session: Session, tombstones: Tombstones, limits: Limits) -> None:
    """Repair the months that the state remembers; none is remembered as long as no staging folder is lost.

    Raises:
        DamagedError: a stored file is not readable.
    """
    months = session.state.torn_months()
    if not months:
        return
    from pipeline.load.merge import Bucket  # noqa: PLC0415 - a run that repairs nothing needs none of its libraries
    from pipeline.load.results import Results  # noqa: PLC0415 - likewise
    from pipeline.load.stages import merge_and_roll_up  # noqa: PLC0415 - likewise

    days = [
        (workspace_id, f"{month}-{day:02}")
        for workspace_id, month in months
        for day in range(1, monthrange(*map(int, month.split("-")))[1] + 1)
    ]
    workers = session.workers if len(days) > limits.processes_days else 1
    pieces = [days[start : start + limits.rerun_days] for start in range(0, len(days), limits.rerun_days)]
    buckets = [Bucket(rerun=piece) for piece in pieces]
    job = session.job(tombstones, limits, force=True)
    results = Results()
    try:
        with executor(workers) as pool:
            merge_and_roll_up(buckets, results, job, pool, workers, session)
        with session.stage("commit", "publishing"):
            session.publish(job, results, everything=False)
        session.state.mended()
    finally:
        session.clear(job.staging)
    session.spent()  # the report of the run that follows does not count these seconds
