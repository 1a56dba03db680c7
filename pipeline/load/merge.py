"""Step 3: one bucket of approved rows becomes events, and the cube and the actors of their days.

Reads the bucket's rows and the partitions they touch; writes, under the run's staging folder, partitions of events and
what their days give to cube and actors. A bucket holds whole UTC days of workspaces; where much of them stands, they
are folded in several portions. Or it names days that stand, which are folded once more without what is forgotten.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from pipeline.contract.calendar import DAY_US, utc_day
from pipeline.contract.tables import EVENTS, events_path
from pipeline.load.job import Job
from pipeline.load.results import BucketResult
from pipeline.load.shuffle import days_of, of_forgotten
from pipeline.storage.engine import Engine
from pipeline.storage.parquet import ONE_PIECE_BYTES, PartitionWriter, Reordered, portions
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
_STORED: Final = -1  # the source of rows that stood before
# Of what stands, so much is folded at once: about as much as a bucket has new rows.
_STORED_BYTES: Final = 64 << 20


class Resources(msgspec.Struct, frozen=True):
    """What one piece of work may use of the machine."""

    threads: int
    memory: str  # of the engine, e.g. "300MB"


class Bucket(msgspec.Struct, frozen=True):
    """What is to be folded."""

    number: int
    rows: list[str]  # files of approved rows
    without: list[int]  # sources whose rows do not count
    resources: Resources
    rerun: list[tuple[str, str]] = []  # (workspace, UTC day) to fold once more; then there are no rows


def merge(bucket: Bucket, job: Job) -> list[BucketResult]:
    """Fold one bucket: standing versions, changed partitions, cube and actors of the changed days.

    Raises:
        DamagedError: a partition that stands is not readable.
    """
    reports = [
        _merge(delivered, rerun, f"{bucket.number}-{number}", bucket.resources, job)
        for number, (delivered, rerun) in enumerate(_delivered(bucket, job))
    ]
    for uri in bucket.rows:
        job.store.path(uri).unlink()  # before the sync, which would wait for it to reach the disk
    return reports


def _merge(
    delivered: pa.Table, rerun: list[tuple[str, str]], name: str, resources: Resources, job: Job
) -> BucketResult:
    """Fold all that was delivered of some days; those of `rerun` change whatever comes out, and go if nothing does."""
    store = job.store
    with Engine(
        __package__, store.path(f"{job.staging}/spill"), threads=resources.threads, memory=resources.memory
    ) as engine:
        # Workspaces as numbers, which sort as they do: with texts the statements take about a fifth more time.
        workspaces = delivered["workspace_id"].unique().sort()
        numbers = pc.index_in(delivered["workspace_id"], workspaces)
        engine.show("delivered", delivered.set_column(0, "workspace_id", numbers))
        engine.view("versions")
        engine.show("repeated", _repeated(delivered["id"]))
        engine.create("ranked")
        engine.show("tied", delivered.take(engine.arrow("tied")["position"]))
        engine.create("superseded")
        engine.create("current")
        engine.create("changed", force=job.force or job.rebuild is not None or bool(rerun))
        days = [(str(workspaces[code]), day) for code, day in engine.fetch("changed_days")]
        places = _decoded(engine.arrow("events"), workspaces)
        rows = Reordered(delivered.select(EVENTS.names).cast(EVENTS), np.asarray(places["position"]))
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
        store.make_folders(list(written.values()))  # thousands take a while, which here is not that of one process
        events: dict[str, list[Operation]] = {}
        for (workspace_id, _), operation in written.items():
            events.setdefault(workspace_id, []).append(operation)
        gone = sorted(set(rerun).difference(days))
        for workspace_id, day in gone:
            events.setdefault(workspace_id, []).append(Operation("delete", events_path(workspace_id, day)))
        engine.create("allocated")
        cube = _decoded(engine.arrow("day_cube"), workspaces)
        actors = _decoded(engine.arrow("day_actors"), workspaces)
        return BucketResult(
            accepted=dict(engine.fetch("accepted")),
            events=events,
            days=days + gone,
            cube=_keep(job, f"{job.staging}/cube/{name}.arrow", cube),
            actors=_keep(job, f"{job.staging}/actors/{name}.arrow", actors),
        )


def streamed(job: Job, uri: str, schema: pa.Schema) -> pa.Table:
    """Return what was kept in an Arrow stream; it stays in the file until it is looked at."""
    with pa.memory_map(str(job.store.path(uri))) as file, pa.ipc.open_stream(file) as stream:
        return stream.read_all().cast(schema)


def _delivered(bucket: Bucket, job: Job) -> Iterator[tuple[pa.Table, list[tuple[str, str]]]]:
    """Yield the versions that were read and those that stand in the partitions they touch, numbered by `position`.

    Or those that stand on the days to fold once more, and these days.
    """
    if job.rebuild is not None:
        rows = _numbered(_read(bucket, job))
        if rows.num_rows:
            yield rows, []
        return
    read: pa.Table | None = _read(bucket, job)
    touched, places = _touched(read, bucket)
    uris = [events_path(workspace_id, day) for workspace_id, day in touched]
    stand = [uri if job.store.exists(uri) else None for uri in uris]
    for part, found in portions(job.store, stand, EVENTS, bucket.resources.threads, _STORED_BYTES):
        stored = found
        if bucket.rerun:
            stored = found.filter(pa.array(~of_forgotten(found["user_id"].combine_chunks(), job.tombstones)))
        theirs = (places >= part.start) & (places < part.stop)
        sources = pa.array(np.full(stored.num_rows, _STORED, np.int32))
        if read is None:  # for each portion anew, so that its files are not in memory while one is folded
            read = _read(bucket, job)
        new = read if theirs.all() else read.filter(pa.array(theirs))
        rows = _numbered(pa.concat_tables([new, stored.append_column(ROWS.field("source"), sources)]))
        read = None  # copied, as are these
        del new, found, stored
        yield rows, bucket.rerun[part]


def _read(bucket: Bucket, job: Job) -> pa.Table:
    """Return the versions that were read."""
    read = pa.concat_tables([ROWS.empty_table(), *(streamed(job, uri, ROWS) for uri in bucket.rows)])
    if bucket.without:
        read = read.filter(pc.invert(pc.is_in(read["source"], pa.array(bucket.without, pa.int32()))))
    return read


def _touched(read: pa.Table, bucket: Bucket) -> tuple[list[tuple[str, str]], npt.NDArray[np.int64]]:
    """Return the workspaces' UTC days to be folded, and for each row that was read which of them."""
    if not read.num_rows:
        return bucket.rerun, np.empty(0, np.int64)
    numbers, places = days_of(read["workspace_id"].combine_chunks(), read["timestamp"].combine_chunks())
    return [(workspace_id, utc_day(number * DAY_US).isoformat()) for workspace_id, number in numbers], places


def _numbered(rows: pa.Table) -> pa.Table:
    rows = rows.append_column("position", pa.array(np.arange(rows.num_rows)))
    return rows.combine_chunks() if rows.nbytes <= ONE_PIECE_BYTES else rows


def _decoded(rows: pa.Table, workspaces: pa.StringArray) -> pa.Table:
    """Return rows with their workspaces in place of the numbers."""
    names = workspaces.take(rows["workspace_id"].combine_chunks())
    return rows.set_column(rows.schema.get_field_index("workspace_id"), "workspace_id", names)


def _repeated(ids: pa.ChunkedArray) -> pa.Table:
    """Return the positions of ids that are there several times, if only on different days."""
    codes = np.asarray(ids.combine_chunks().dictionary_encode().indices)
    return pa.table({"position": pa.array(np.flatnonzero(np.bincount(codes)[codes] > 1))})


def _keep(job: Job, uri: str, table: pa.Table) -> str:
    path = job.store.path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table)
    return uri
