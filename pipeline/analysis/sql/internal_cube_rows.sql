-- one row per (workspace, quarter-hour, locale) in the current files of one workspace, or with `*` of all
create macro internal.cube_rows(workspaces) as table
with stored as (
  from read_parquet(
    internal.files(listed_cube(), data_pattern() || '/cube/workspace_id=' || workspaces || '/*/*.parquet', workspaces),
    allow_empty := internal.may_be_none(listed_cube(), workspaces),
    filename := true,
    hive_partitioning := true,
    hive_types := {workspace_id: varchar, month: varchar},
    hive_types_autocast := false
  )
  union all by name
  from internal.cube
)
select
  stored.workspace_id,
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
join stored on stored.filename = current_files.file;
