"""Arrow streams in the staging folder, which carry tables from one step to the next.

Writes files of one piece of work under its staging folder, and reads those of others.
"""

import pyarrow as pa
import pyarrow.ipc

from pipeline.load.job import Job
from pipeline.load.results import StagedFile


class ArrowFile:
    """A new stream, whose file is written batch by batch.

    Args:
        job: the run.
        uri: the file, below the attempt's staging folder.
        schema: the columns.
    """

    def __init__(self, job: Job, uri: str, schema: pa.Schema) -> None:
        self._uri = uri
        job.store.folder(uri.rpartition("/")[0])
        self._file = pa.OSFile(str(job.store.scratch(uri)), "wb")
        self._stream = pa.ipc.new_stream(self._file, schema)

    def write(self, rows: pa.RecordBatch | pa.Table) -> None:
        """Write rows."""
        self._stream.write(rows)

    def close(self) -> StagedFile:
        """Complete the file."""
        self._stream.close()
        size = self._file.tell()
        self._file.close()
        return StagedFile(self._uri, size)


def write(job: Job, uri: str, table: pa.Table) -> StagedFile:
    """Write a table that is in memory."""
    file = ArrowFile(job, uri, table.schema)
    file.write(table)
    return file.close()


def handed_over(job: Job, files: dict[int, StagedFile]) -> dict[int, StagedFile]:
    """Let other pieces of work read complete files; return them with the names by which they are found."""
    names = job.store.hand_over([file.uri for file in files.values()])
    return {key: StagedFile(name, file.bytes) for name, (key, file) in zip(names, files.items(), strict=True)}


def read_all(job: Job, files: list[StagedFile], schema: pa.Schema) -> pa.Table:
    """Return the rows of several files."""
    job.store.gather([file.uri for file in files])
    return pa.concat_tables([schema.empty_table(), *(read(job, file.uri, schema) for file in files)])


def read(job: Job, uri: str, schema: pa.Schema) -> pa.Table:
    """Return a table whose file is mapped into memory: only the parts that are used are read."""
    with pa.memory_map(str(job.store.local(uri))) as file, pa.ipc.open_stream(file) as stream:
        return stream.read_all().cast(schema)
