"""Step 3: merges the rows of one bucket into events, and computes the cube and actors rows of the days that changed.

Reads the bucket's rows and the stored partitions that they touch; writes, under its staging folder, partitions of
events, and the rows that their days contribute to cube and actors: a file for each group of months that is rolled up,
so that a roll-up reads only what it needs. A bucket holds whole UTC days of workspaces. If
these days have many stored events, they are merged in several passes. An erasure gives days instead of rows: their
stored events are merged again, without the forgotten ones.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contract.calendar import DAY_US, utc_day
from pipeline.contract.tables import EVENTS, events_path
from pipeline.load import arrow_files, month_groups
from pipeline.load.job import Job
from pipeline.load.redaction import redact
from pipeline.load.results import BucketResult, StagedFile
from pipeline.load.shuffle import days_of, of_forgotten
from pipeline.storage.engine import Engine
from pipeline.storage.parquet import ONE_PIECE_BYTES, PartitionWriter, portions
from pipeline.storage.reordered import Reordered
from pipeline.storage.store import Operation
from pipeline.validation.bulk import ROWS

_DICTIONARIES: Final = (
    "action",
    "kind",
    "resource_type",
    "user_id",
    "user_name",
    "run_status",
    "languages.list.element.locale",
)
_STORED: Final = -1  # the source of rows that come from stored partitions

_Day = tuple[str, str]  # workspace and UTC day


class Bucket(msgspec.Struct, frozen=True):
    """What is merged together."""

    rows: list[StagedFile] = []  # validated rows
    without: list[int] = []  # sources whose rows do not count
    rerun: list[_Day] = []  # days to merge again; then there are no rows


def merge(bucket: Bucket, job: Job) -> list[BucketResult]:
    """Merge one bucket: find current versions, write changed partitions, and compute cube and actors of their days.

    Raises:
        DamagedError: a stored partition is not readable.
    """
    return [_merge(versions, rerun, number, job) for number, (versions, rerun) in enumerate(_passes(bucket, job))]


def _merge(versions: pa.Table, rerun: list[_Day], number: int, job: Job) -> BucketResult:
    """Merge all versions of some days.

    Args:
        versions: both read and stored ones, with the columns of `ROWS` and `position`.
        rerun: days that are always rewritten, and deleted when they end up empty.
        number: of this pass over the bucket.
        job: the run.
    """
    store, resources = job.store, job.resources
    with Engine(
        __package__, store.folder(f"{job.staging}/spill"), threads=resources.threads, memory=resources.memory
    ) as engine:
        # Workspaces become numbers, in the same order: with texts, the statements would take a fifth more time.
        workspaces = versions["workspace_id"].unique().sort()
        numbers = pc.index_in(versions["workspace_id"], workspaces)
        engine.show("versions_rows", versions.set_column(0, "workspace_id", numbers))
        engine.view("versions")
        engine.show("repeated", _repeated(versions["id"]))
        engine.create("ranked")
        engine.show("tied", versions.take(engine.arrow("tied")["position"]))
        engine.create("superseded")
        engine.create("current")
        engine.create("changed", force=job.force or job.rebuild is not None or bool(rerun))
        days = [(str(workspaces[code]), day) for code, day in engine.fetch("changed_days")]
        places = _decoded(engine.arrow("events"), workspaces)
        rows = Reordered(versions.select(EVENTS.names).cast(EVENTS), np.asarray(places["position"]))
        writer = PartitionWriter(
            store,
            job.staging,
            job.run,
            EVENTS,
            dictionaries=_DICTIONARIES,
            statistics=("timestamp",),
            threads=resources.threads,
        )
        written = writer.write(places, rows.rows, days, events_path)
        operations = store.deliver(list(written.values()))
        store.make_folders(operations)  # thousands take a while; here all processes share the work
        events: dict[str, list[Operation]] = {}
        for (workspace_id, _), operation in zip(written, operations, strict=True):
            events.setdefault(workspace_id, []).append(operation)
        emptied = sorted(set(rerun).difference(days))
        for workspace_id, day in emptied:
            events.setdefault(workspace_id, []).append(Operation("delete", events_path(workspace_id, day)))
        engine.create("allocated")
        cube = _decoded(engine.arrow("day_cube"), workspaces)
        actors = _decoded(engine.arrow("day_actors"), workspaces)
        return BucketResult(
            accepted=dict(engine.fetch("accepted")),
            events=events,
            days=days + emptied,
            cube=_stage("cube", number, cube, "quarter", job),
            actors=_stage("actors", number, actors, "day", job),
        )


def _stage(table: str, number: int, rows: pa.Table, instants: str, job: Job) -> dict[int, StagedFile]:
    """Stage the rows of a pass for a table; return the file of each group of months, which `instants` are in."""
    staged = {
        group: arrow_files.write(job, f"{job.staging}/{table}/{number}-{group}.arrow", found)
        for group, found in month_groups.dealt(rows.combine_chunks(), instants, job.groups)
    }
    return arrow_files.handed_over(job, staged)


def _passes(bucket: Bucket, job: Job) -> Iterator[tuple[pa.Table, list[_Day]]]:
    """Yield, for each pass, the read and the stored versions of some days, numbered by `position`.

    Each pass also comes with those of its days that an erasure merges again.
    """
    if job.rebuild is not None:
        rows = _numbered(_read(bucket, job))
        if rows.num_rows:
            yield rows, []
        return
    read: pa.Table | None = _read(bucket, job)
    touched, places = _touched(read, bucket)
    uris = [events_path(workspace_id, day) for workspace_id, day in touched]
    existing = [uri if job.store.exists(uri) else None for uri in uris]
    threads, most_bytes = job.resources.threads, job.limits.stored_bytes
    known = job.store.digests([uri for uri in existing if uri is not None])
    for part, found in portions(job.store, existing, EVENTS, threads, most_bytes, known):
        stored = found
        if bucket.rerun:
            kept = found.filter(pa.array(~of_forgotten(found["user_id"].combine_chunks(), job.tombstones)))
            stored, _ = redact(kept, job.tombstones)
            del kept
        in_part = (places >= part.start) & (places < part.stop)
        sources = pa.array(np.full(stored.num_rows, _STORED, np.int32))
        if read is None:  # read for each pass, so that the files are not in memory during a merge
            read = _read(bucket, job)
        new = read if in_part.all() else read.filter(pa.array(in_part))
        rows = _numbered(pa.concat_tables([new, stored.append_column(ROWS.field("source"), sources)]))
        read = None  # `rows` has a copy of this table and of those below
        del new, found, stored
        yield rows, bucket.rerun[part]


def _read(bucket: Bucket, job: Job) -> pa.Table:
    """Return the versions that were read from raw files, with the columns of `ROWS`."""
    read = arrow_files.read_all(job, bucket.rows, ROWS)
    if bucket.without:
        read = read.filter(pc.invert(pc.is_in(read["source"], pa.array(bucket.without, pa.int32()))))
    return read


def _touched(read: pa.Table, bucket: Bucket) -> tuple[list[_Day], npt.NDArray[np.int64]]:
    """Return the days to merge, and for each row that was read the index of its day: `(rows,)`."""
    if not read.num_rows:
        return bucket.rerun, np.empty(0, np.int64)
    numbers, places = days_of(read["workspace_id"].combine_chunks(), read["timestamp"].combine_chunks())
    return [(workspace_id, utc_day(number * DAY_US).isoformat()) for workspace_id, number in numbers], places


def _numbered(rows: pa.Table) -> pa.Table:
    """Return rows with the column `position`, which counts them from 0."""
    rows = rows.append_column("position", pa.array(np.arange(rows.num_rows)))
    return rows.combine_chunks() if rows.nbytes <= ONE_PIECE_BYTES else rows


def _decoded(rows: pa.Table, workspaces: pa.StringArray) -> pa.Table:
    """Return rows with the ids of their workspaces in place of the numbers."""
    names = workspaces.take(rows["workspace_id"].combine_chunks())
    return rows.set_column(rows.schema.get_field_index("workspace_id"), "workspace_id", names)


def _repeated(ids: pa.ChunkedArray) -> pa.Table:
    """Return the `position` of every row whose id occurs more than once, even if on different days."""
    codes = np.asarray(ids.combine_chunks().dictionary_encode().indices)
    return pa.table({"position": pa.array(np.flatnonzero(np.bincount(codes)[codes] > 1))})
