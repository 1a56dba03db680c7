"""Step 5: collects what was staged into the changes of one commit.

Reads what is published; writes nothing. `storage/compose` makes operations of the changes, and puts them in order.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

import msgspec

from pipeline.contract.calendar import rfc3339, utc_day, zone_data_version
from pipeline.contract.tables import SCHEMA_VERSION, Month, Published, runs_path
from pipeline.load.job import Job
from pipeline.load.results import Remarks, Results, RunReport, ledger, reasons, total
from pipeline.storage.changes import Changes
from pipeline.storage.store import DamagedError, Operation
from pipeline.storage.tombstones import Tombstones
from pipeline.storage.unread import Unread

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
        first_kept_day=date.fromisoformat(floor) if (floor := job.tombstones.floor) else None,
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


def changes(
    job: Job,
    published: Published,
    results: Results,
    report: RunReport,
    *,
    complete: bool,
    forget_others: bool,
    carried_out: Tombstones | None,
    unread: Mapping[str, Unread] | None,
) -> Changes:
    """Return what the commit publishes and records.

    Args:
        job: the run.
        published: the new content of `published.json`.
        results: of the earlier steps.
        report: what the run did.
        complete: whether every raw file has now been read since the ledger was created.
        forget_others: whether no other raw file counts as read.
        carried_out: the tombstones that the commit completes; None where it adds none.
        unread: the raw files that could not be read to their end; None where that is as before.
    """
    tables, months = _tables(results)
    # Ledger and quarantine are of whole raw files: a rebuild of some months leaves both as they are.
    partial = job.rebuild is not None and not job.rebuild.everything
    return Changes(
        run=job.run,
        staging=job.staging,
        published=published,
        record=msgspec.json.encode(report) + b"\n",
        record_uri=runs_path(utc_day(job.started).isoformat()),
        tables=tables,
        months=months,
        others=[] if partial else [operation for part in results.parts for operation in part.operations],
        orphans=results.orphans,
        rebuilt=job.rebuild,
        force=job.force,
        entries=[] if partial else ledger(results.parts, results.accepted),
        forget_others=forget_others,
        complete=complete,
        carried_out=carried_out,
        unread=unread,
    )


def _tables(results: Results) -> tuple[dict[str, list[Operation]], dict[str, dict[str, Month | None]]]:
    """Return, by workspace, the operations on its tables, and its months that were written or deleted (None)."""
    tables: dict[str, list[Operation]] = {}
    months: dict[str, dict[str, Month | None]] = {}
    for operations in [*(bucket.events for bucket in results.buckets), *(group.operations for group in results.months)]:
        for workspace_id, changes in operations.items():
            tables.setdefault(workspace_id, []).extend(changes)
    for group in results.months:
        for workspace_id, changed in group.months.items():
            tables.setdefault(workspace_id, [])
            months.setdefault(workspace_id, {}).update(changed)
    return tables, months
