-- one row per good line that was read: $rows are files of approved rows, instants in microseconds UTC
select
  workspace_id,
  make_timestamp(timestamp)::date as day,
  * exclude (workspace_id, timestamp, recorded_at),
  make_timestamp(timestamp) as timestamp,
  make_timestamp(recorded_at) as recorded_at
from read_json(
  $rows,
  format = 'newline_delimited',
  maximum_object_size = 67108864,
  columns = {
    workspace_id: 'varchar',
    id: 'varchar',
    timestamp: 'bigint',
    recorded_at: 'bigint',
    action: 'varchar',
    kind: 'varchar',
    resource_type: 'varchar',
    resource_id: 'varchar',
    resource_name: 'varchar',
    user_id: 'varchar',
    user_name: 'varchar',
    metadata: 'varchar',
    ip: 'varchar',
    run_id: 'varchar',
    run_status: 'varchar',
    credits: 'bigint',
    audio_ms: 'bigint',
    languages: 'struct(locale varchar, characters bigint, lines bigint, corrected bigint)[]',
    source: 'integer'
  }
)
