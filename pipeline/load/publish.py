"""Step 5: turns what was staged into the operations of the commit.

Reads the manifests and `published.json`; stages new ones. The order of the operations matters to readers, even after a
power cut: first the tables, then the manifests that name them, then `published.json`, last the deletes of files that
nothing names any more.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from pipeline.contract.calendar import rfc3339, utc_day, zone_data_version
from pipeline.contract.tables import (
    PUBLISHED,
    SCHEMA_VERSION,
    Manifest,
    Month,
    Published,
    manifest_path,
    runs_path,
)
from pipeline.load.job import Job
from pipeline.load.rebuild import leftovers
from pipeline.load.results import Remarks, Results, RunReport, reasons, total
from pipeline.storage import catalog
from pipeline.storage.store import DamagedError, Operation

_ERRORS: Final = 100  # unread files that the record of a run names, since every run names them again


class NewerError(RuntimeError):
    """Raised when a newer release wrote the tables: this release would lose what it does not know."""


def publication(job: Job, *, everything: bool) -> Published:
    """Return the new content of `published.json`.

    Args:
        job: the run.
        everything: whether this commit completes all raw files that the run listed, and no file is unread. Otherwise
            `data_as_of` stays as it is: null until some run has read all of them.
    """
    before = _published(job)
    return Published(
        sequence=before.sequence + 1 if before else 1,
        run=job.run,
        data_as_of=job.started if everything else (before and before.data_as_of) or None,
        schema_version=SCHEMA_VERSION,
        zone_data=zone_data_version(),
        extra_actions=_extra_actions(job, before),
    )


def _extra_actions(job: Job, before: Published | None) -> tuple[str, ...]:
    if job.extra_actions is not None:
        return job.extra_actions
    return before.extra_actions if before else ()


def _published(job: Job) -> Published | None:
    """Return what is published.

    Raises:
        DamagedError: it cannot be read, or is not as it was written.
        NewerError: a newer release wrote it.
    """
    try:
        found = job.store.published()
    except DamagedError:
        if job.rebuild is not None and job.rebuild.everything:
            return None
        raise
    if found is not None and found.schema_version > SCHEMA_VERSION:
        raise NewerError(f"the tables are of version {found.schema_version}, this release writes {SCHEMA_VERSION}")
    return found


def report(job: Job, published: Published, results: Results, seconds: dict[str, float], remarks: Remarks) -> RunReport:
    """Return what the run did.

    Args:
        job: the run.
        published: what it publishes.
        results: of the earlier steps.
        seconds: how long each stage took so far.
        remarks: what else it reports.
    """
    counts = total(results.parts, results.accepted)
    return RunReport(
        run=job.run,
        started=rfc3339(job.started),
        data_as_of=published.as_of,
        sequence=published.sequence,
        files=len(results.parts),
        bytes=sum(part.bytes for part in results.parts),
        lines=counts.lines,
        accepted=counts.accepted,
        duplicates=counts.duplicates,
        rejected=counts.rejected,
        blank=counts.blank,
        reasons=reasons(results.parts),
        workspaces=len({workspace_id for bucket in results.buckets for workspace_id in bucket.events}),
        partitions=sum(len(changes) for bucket in results.buckets for changes in bucket.events.values()),
        seconds=seconds,
        errors=remarks.errors[:_ERRORS],
        unread=len(remarks.errors),
        ignored=remarks.ignored,
        warnings=remarks.warnings,
    )


def compose(job: Job, published: Published, results: Results, report: RunReport) -> list[Operation]:
    """Stage manifests, the run's record and `published.json`; return all operations in the order of the commit."""
    tables, months = _tables(job, results)
    staged = [operation for changes in tables.values() for operation in changes]
    if job.rebuild is None or job.rebuild.everything:
        staged += [operation for part in results.parts for operation in part.operations]
    manifests, outdated = [], []
    stored = _stored(job, tables)
    for workspace_id in sorted(tables):
        before = stored.get(workspace_id, {})
        changed = _kept(job, workspace_id, before) | months.get(workspace_id, {})
        after = {month: files for month, files in changed.items() if files}
        manifests.append(_manifest(job, workspace_id, after))
        for month, files in before.items():
            if after.get(month) != files:
                outdated += [Operation("delete", files.cube), Operation("delete", files.actors)]
        if job.force:
            orphans = catalog.orphans(job.store, workspace_id, catalog.named(after))
            outdated += [Operation("delete", uri) for uri in orphans]
    if job.rebuild is not None:
        outdated += leftovers(job.store, job.rebuild, {operation.final for operation in [*staged, *outdated]})
    staged.append(_record(job, report))
    published_last = [_stage(job, PUBLISHED, msgspec.json.encode(published))]
    sync = Operation("sync")
    replaces = [operation for operation in staged if operation.kind == "replace"]
    deletes = [operation for operation in staged if operation.kind == "delete"] + outdated + results.orphans
    if not manifests:
        return [*replaces, *published_last, sync, *deletes]
    return [*replaces, sync, *manifests, sync, *published_last, sync, *deletes]


def _tables(job: Job, results: Results) -> tuple[dict[str, list[Operation]], dict[str, dict[str, Month | None]]]:
    """Return, by workspace, the operations on its tables, and its months that were written or deleted (None)."""
    tables: dict[str, list[Operation]] = {}
    months: dict[str, dict[str, Month | None]] = {}
    if job.rebuild is not None:
        stored = catalog.published_workspaces(job.store)
        tables |= {workspace_id: [] for workspace_id in stored if job.rebuild.names(workspace_id)}
    for operations in [*(bucket.events for bucket in results.buckets), *(group.operations for group in results.months)]:
        for workspace_id, changes in operations.items():
            tables.setdefault(workspace_id, []).extend(changes)
    for group in results.months:
        for workspace_id, changed in group.months.items():
            tables.setdefault(workspace_id, [])
            months.setdefault(workspace_id, {}).update(changed)
    return tables, months


def _stored(job: Job, workspace_ids: Iterable[str]) -> dict[str, dict[str, Month]]:
    """Return the stored months of each workspace, except those of which all months are rebuilt: they may be damaged."""
    rebuild = job.rebuild
    return job.store.months(name for name in workspace_ids if not (rebuild and rebuild.covers_all(name)))


def _kept(job: Job, workspace_id: str, months: dict[str, Month]) -> dict[str, Month | None]:
    """Return the months that the run does not rebuild."""
    rebuild = job.rebuild
    return {month: files for month, files in months.items() if not (rebuild and rebuild.covers(workspace_id, month))}


def _manifest(job: Job, workspace_id: str, months: dict[str, Month]) -> Operation:
    if not months:  # to readers, a workspace without a manifest has no events
        return Operation("delete", manifest_path(workspace_id))
    manifest = Manifest(workspace_id, job.run, dict(sorted(months.items())))
    return _stage(job, manifest_path(workspace_id), msgspec.json.encode(manifest))


def _record(job: Job, report: RunReport) -> Operation:
    """Stage the records of the day's runs, including this one.

    The digest is that of the earlier records as they were written, so that if they are damaged now, which stops no run,
    `usage check` finds that afterwards too.
    """
    final = runs_path(utc_day(job.started).isoformat())
    before, line = job.store.read(final), msgspec.json.encode(report) + b"\n"
    staged = _stage(job, final, (before or b"") + line)
    known = job.store.digests([final]).get(final)
    if before is None or known is None:
        return staged
    digest = known.followed_by(line)
    return msgspec.structs.replace(staged, size=digest.size, checksum=digest.checksum)


def _stage(job: Job, final: str, content: bytes) -> Operation:
    return job.store.stage(f"{job.staging}/{final}", final, content)
