"""Step 5: from what was staged to the operations of the commit.

Reads the manifests and `published.json`; stages new ones. The order matters to readers, even after a power cut: first
the tables, then the manifests that name them, then `published.json`, last the deletes of what nothing names any more.
"""

import msgspec

from pipeline.contract.calendar import rfc3339, utc_day, zone_data_version
from pipeline.contract.tables import PUBLISHED, SCHEMA_VERSION, Manifest, Month, Published, manifest_path, runs_path
from pipeline.load import accounting
from pipeline.load.accounting import FileError, RunReport
from pipeline.load.job import Job
from pipeline.load.rebuild import known, leftovers
from pipeline.load.results import Results
from pipeline.storage.store import DamagedError, Operation


class NewerError(RuntimeError):
    """Raised when a newer release wrote the tables: this one would not keep all that is in them."""


def publication(job: Job, *, everything: bool) -> Published:
    """Return what `published.json` will say.

    Args:
        job: the run.
        everything: whether all raw files are in that the run listed; otherwise the data are as old as they were, and
            where nobody read all of them before, of no age that could be told.
    """
    before = _published(job)
    return Published(
        sequence=before.sequence + 1 if before else 1,
        run=job.run,
        data_as_of=job.started if everything else (before and before.data_as_of) or None,
        schema_version=SCHEMA_VERSION,
        zone_data=zone_data_version(),
    )


def read_manifest(job: Job, workspace_id: str) -> Manifest:
    """Return what stands of a workspace; an empty manifest where nothing does, or nothing is kept of it.

    Raises:
        DamagedError: it cannot be told.
    """
    if job.rebuild is not None and job.rebuild.everything:
        return Manifest(workspace_id, "", {})
    return job.store.load(manifest_path(workspace_id), Manifest) or Manifest(workspace_id, "", {})


def _published(job: Job) -> Published | None:
    """Return what stands.

    Raises:
        DamagedError: it cannot be told.
        NewerError: a newer release wrote it.
    """
    try:
        found = job.store.load(PUBLISHED, Published)
    except DamagedError:
        if job.rebuild is not None and job.rebuild.everything:
            return None
        raise
    if found is not None and found.schema_version > SCHEMA_VERSION:
        raise NewerError(f"the tables are of version {found.schema_version}, this release writes {SCHEMA_VERSION}")
    return found


def report(job: Job, published: Published, work: Results, seconds: dict[str, float]) -> RunReport:
    """Return what the run did.

    Args:
        job: the run.
        published: what it publishes.
        work: what the steps before gave.
        seconds: how long each stage took so far.
    """
    counts = accounting.total(work.parts, work.accepted)
    return RunReport(
        run=job.run,
        started=rfc3339(job.started),
        data_as_of=published.as_of,
        sequence=published.sequence,
        files=len(work.parts),
        bytes=sum(part.bytes for part in work.parts),
        lines=counts.lines,
        accepted=counts.accepted,
        duplicates=counts.duplicates,
        rejected=counts.rejected,
        blank=counts.blank,
        reasons=accounting.reasons(work.parts),
        workspaces=len({workspace_id for bucket in work.buckets for workspace_id in bucket.events}),
        partitions=sum(len(changes) for bucket in work.buckets for changes in bucket.events.values()),
        seconds=seconds,
        errors=[FileError(part.source_file, part.error) for part in work.parts if part.error],
    )


def compose(job: Job, published: Published, work: Results, report: RunReport) -> list[Operation]:
    """Stage manifests, the run's record and `published.json`; return all operations in the order of the commit."""
    tables, months = _tables(job, work)
    made = [operation for changes in tables.values() for operation in changes]
    if job.rebuild is None or job.rebuild.everything:
        made += [operation for part in work.parts for operation in part.operations]
    manifests, superseded = [], []
    for workspace_id in sorted(tables):
        before = read_manifest(job, workspace_id).months
        rebuilt = _kept(job, workspace_id, before) | months.get(workspace_id, {})
        after = {month: files for month, files in rebuilt.items() if files}
        manifests.append(_manifest(job, workspace_id, after))
        for month, files in before.items():
            if after.get(month) != files:
                superseded += [Operation("delete", files.cube), Operation("delete", files.actors)]
        if job.force:
            superseded += _orphans(job, workspace_id, after)
    if job.rebuild is not None:
        superseded += leftovers(job.store, job.rebuild, {operation.final for operation in [*made, *superseded]})
    made.append(_record(job, report))
    published_last = [_stage(job, PUBLISHED, msgspec.json.encode(published))]
    sync = Operation("sync")
    brought = [operation for operation in made if operation.kind == "replace"]
    gone = [operation for operation in made if operation.kind == "delete"] + superseded + work.orphans
    if not manifests:
        return [*brought, *published_last, sync, *gone]
    return [*brought, sync, *manifests, sync, *published_last, sync, *gone]


def _tables(job: Job, work: Results) -> tuple[dict[str, list[Operation]], dict[str, dict[str, Month | None]]]:
    """Return what becomes of each workspace's tables, and its months that were written or go."""
    tables: dict[str, list[Operation]] = {}
    months: dict[str, dict[str, Month | None]] = {}
    if job.rebuild is not None:
        tables |= {workspace_id: [] for workspace_id in known(job.store) if job.rebuild.names(workspace_id)}
    for operations in [*(bucket.events for bucket in work.buckets), *(group.operations for group in work.months)]:
        for workspace_id, changes in operations.items():
            tables.setdefault(workspace_id, []).extend(changes)
    for group in work.months:
        for workspace_id, changed in group.months.items():
            tables.setdefault(workspace_id, [])
            months.setdefault(workspace_id, {}).update(changed)
    return tables, months


def _kept(job: Job, workspace_id: str, months: dict[str, Month]) -> dict[str, Month | None]:
    """Return the months that are not made anew."""
    rebuild = job.rebuild
    return {month: files for month, files in months.items() if not (rebuild and rebuild.covers(workspace_id, month))}


def _orphans(job: Job, workspace_id: str, months: dict[str, Month]) -> list[Operation]:
    """Return what takes away the files that a lost commit brought, and that no manifest will name."""
    named = {file for month in months.values() for file in (month.cube, month.actors)}
    root = job.store.root
    paths = [
        path for table in ("cube", "actors") for path in root.glob(f"{table}/workspace_id={workspace_id}/*/*.parquet")
    ]
    uris = sorted(path.relative_to(root).as_posix() for path in paths)
    return [Operation("delete", uri) for uri in uris if uri not in named]


def _manifest(job: Job, workspace_id: str, months: dict[str, Month]) -> Operation:
    if not months:  # readers take a workspace without manifest for one without events
        return Operation("delete", manifest_path(workspace_id))
    manifest = Manifest(workspace_id, job.run, dict(sorted(months.items())))
    return _stage(job, manifest_path(workspace_id), msgspec.json.encode(manifest))


def _record(job: Job, report: RunReport) -> Operation:
    """Add the run to those of its day."""
    final = runs_path(utc_day(job.started).isoformat())
    return _stage(job, final, (job.store.read(final) or b"") + msgspec.json.encode(report) + b"\n")


def _stage(job: Job, final: str, content: bytes) -> Operation:
    return job.store.stage(f"{job.staging}/{final}", final, content)
