"""The bare statement that a run is compared with: DuckDB reads the logs and writes the partitions, nothing else.

    python -m benchmarks.bare RAW OUT

No validation, no versions, no cube, no sync. Reads the logs in RAW; writes to OUT, which must not exist yet.
"""

import sys
from pathlib import Path

import duckdb

_STATEMENT = """
copy (
  select
    lower(workspace_id) as workspace_id, timestamp::timestamp::date as day, id, timestamp::timestamp as timestamp,
    coalesce(recorded_at, timestamp)::timestamp as recorded_at, action, kind, resource.type as resource_type,
    resource.id as resource_id, resource.name as resource_name, "user".id as user_id, "user".name as user_name,
    metadata::varchar as metadata, ip, run.id as run_id, run.status as run_status, usage.credits as credits,
    usage.audio_ms as audio_ms, usage.languages as languages
  from read_json($files, format = 'newline_delimited', ignore_errors = true, columns = {
    workspace_id: 'varchar', id: 'varchar', timestamp: 'timestamptz', recorded_at: 'timestamptz', action: 'varchar',
    kind: 'varchar', resource: 'struct(type varchar, id varchar, name varchar)',
    'user': 'struct(id varchar, name varchar)', metadata: 'json', ip: 'varchar',
    run: 'struct(id varchar, status varchar)',
    usage: 'struct(credits bigint, audio_ms bigint,
                   languages struct(locale varchar, characters bigint, lines bigint, corrected bigint)[])'
  })
) to 'OUT' (format parquet, compression zstd, partition_by (workspace_id, day))
"""

if __name__ == "__main__":
    raw, out = map(Path, sys.argv[1:])
    files = sorted(str(path) for path in raw.rglob("*.jsonl*"))
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(_STATEMENT.replace("OUT", str(out)), {"files": files})
