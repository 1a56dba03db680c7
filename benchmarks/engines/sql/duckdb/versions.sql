-- one row per (workspace, UTC day, id) of the files: the newest version in the files
select
  lower(workspace_id) as workspace_id,
  (timestamp at time zone 'UTC')::date as day,
  id,
  timestamp at time zone 'UTC' as timestamp,
  coalesce(recorded_at, timestamp) at time zone 'UTC' as recorded_at,
  coalesce(list_position(['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'], run.status), 0)
    as status_rank,
  action,
  kind,
  resource.type as resource_type,
  resource.id as resource_id,
  resource.name as resource_name,
  lower("user".id) as user_id,
  "user".name as user_name,
  metadata::varchar as metadata,
  ip,
  case when action = 'workflow_run' then run.status end as run_status,
  coalesce(usage.credits, 0) as credits,
  case
    when run is null or run.status in ('completed', 'failed', 'cancelled') then coalesce(usage.audio_ms, 0)
    else 0
  end as audio_ms,
  coalesce(usage.languages, []) as languages
from read_json($files, format = 'newline_delimited', columns = {
  workspace_id: 'varchar', id: 'varchar', timestamp: 'timestamptz', recorded_at: 'timestamptz', action: 'varchar',
  kind: 'varchar', resource: 'struct(type varchar, id varchar, name varchar)',
  'user': 'struct(id varchar, name varchar)', metadata: 'json', ip: 'varchar',
  run: 'struct(id varchar, status varchar)',
  usage: 'struct(credits bigint, audio_ms bigint,
                 languages struct(locale varchar, characters bigint, lines bigint, corrected bigint)[])'
}) as lines
qualify row_number() over (
  partition by lower(lines.workspace_id), (lines.timestamp at time zone 'UTC')::date, lines.id
  order by recorded_at desc, status_rank desc, credits desc
) = 1
