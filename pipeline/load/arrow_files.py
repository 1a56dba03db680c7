"""Arrow streams in the staging folder, which carry tables from one step to the next.

Writes and reads files under the run's staging folder.
"""

import pyarrow as pa
import pyarrow.ipc

from pipeline.load.job import Job


def write(job: Job, uri: str, table: pa.Table) -> str:
    """Write a table, and return `uri`."""
    job.store.folder(uri.rpartition("/")[0])
    with pa.ipc.new_stream(str(job.store.scratch(uri)), table.schema) as stream:
        stream.write_table(table)
    return uri


def read(job: Job, uri: str, schema: pa.Schema) -> pa.Table:
    """Return a table whose file is mapped into memory: only the parts that are used are read."""
    with pa.memory_map(str(job.store.local(uri))) as file, pa.ipc.open_stream(file) as stream:
        return stream.read_all().cast(schema)
