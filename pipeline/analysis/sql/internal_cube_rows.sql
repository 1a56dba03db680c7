-- one row per (workspace, quarter-hour, locale) of the files that stand; of one workspace, or with `*` of all
create macro internal.cube_rows(workspaces) as table
with found as (
  from read_parquet(
    data_pattern() || '/cube/workspace_id=' || workspaces || '/*/*.parquet',
    allow_empty := true,
    filename := true,
    hive_partitioning := true,
    hive_types := {workspace_id: varchar, month: varchar},
    hive_types_autocast := false
  )
  union all by name
  from internal.cube
)
select
  found.workspace_id,
  month,
  quarter,
  locale,
  credits,
  characters,
  lines,
  corrected,
  audio_ms,
  runs_pending,
  runs_running,
  runs_paused,
  runs_completed,
  runs_failed,
  runs_cancelled
from internal.current_cube(workspaces) as current_files
join found on found.filename = current_files.file;
