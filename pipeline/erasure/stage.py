"""Stages the tables without the data that a plan erases, using steps 2 to 4 of a run.

Reads nothing and writes nothing itself; the modules of the pieces of work say what they read and write.
"""

from concurrent.futures import Executor

from pipeline.contract.tables import Month, events_path
from pipeline.erasure.plan import ErasurePlan
from pipeline.erasure.rejects import erase_rejects
from pipeline.load.job import Job
from pipeline.load.merge import Bucket
from pipeline.load.results import BucketResult, Results, RollupResult
from pipeline.load.session import Session
from pipeline.load.stages import each, merge_and_roll_up
from pipeline.storage.store import Operation


def stage(plan: ErasurePlan, job: Job, pool: Executor, workers: int, session: Session) -> Results:
    """Erase rejected lines, delete whole days and months, and re-merge the days that keep some events.

    Args:
        plan: what is erased.
        job: the run.
        pool: runs the pieces of work.
        workers: how many pieces it runs at once.
        session: reports progress, and stops the run on request.
    """
    results = Results(orphans=[Operation("delete", uri) for uri in plan.orphans])
    parts = list(enumerate(plan.rejected))
    with session.stage("rejects", f"checking the rejected lines of {len(parts):,} files", len(parts), "files"):
        results.parts = list(each(erase_rejects, parts, job, pool, session))
    deletes: dict[str, list[Operation]] = {}
    for workspace_id, day in plan.partitions:
        deletes.setdefault(workspace_id, []).append(Operation("delete", events_path(workspace_id, day)))
    months: dict[str, dict[str, Month | None]] = {}
    for workspace_id, month in plan.months:
        months.setdefault(workspace_id, {})[month] = None
    results.months.append(RollupResult({}, months))
    results.buckets.append(BucketResult({}, deletes, plan.cut))
    days = job.limits.rerun_days
    buckets = [Bucket(rerun=plan.rerun[start : start + days]) for start in range(0, len(plan.rerun), days)]
    merge_and_roll_up(buckets, results, job, pool, workers, session)
    return results
