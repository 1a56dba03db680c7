-- one row per event of one workspace, or with `*` of all: its current version
create macro internal.events_rows(workspaces) as table
with stored as (
  from read_parquet(
    internal.files(listed_events(), data_pattern() || '/events/workspace_id=' || workspaces || '/*/*.parquet', workspaces),
    allow_empty := internal.may_be_none(listed_events(), workspaces),
    hive_partitioning := true,
    hive_types := {workspace_id: varchar, day: date},
    hive_types_autocast := false
  )
  union all by name
  from internal.events
)
select
  workspace_id,
  day,
  id,
  timestamp,
  recorded_at,
  action,
  kind,
  resource_type,
  resource_id,
  resource_name,
  user_id,
  user_name,
  metadata,
  ip,
  run_id,
  run_status,
  credits,
  audio_ms,
  languages
from stored;
