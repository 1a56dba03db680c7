-- one row per (workspace, user, action, UTC day) of the files that stand; of one workspace, or with `*` of all
create macro internal.actors_rows(workspaces) as table
with found as (
  from read_parquet(
    data_pattern() || '/actors/workspace_id=' || workspaces || '/*/*.parquet',
    allow_empty := true,
    filename := true,
    hive_partitioning := true,
    hive_types := {workspace_id: varchar, month: varchar},
    hive_types_autocast := false
  )
  union all by name
  from internal.actors
)
select found.workspace_id, month, user_id, action, day, events, credits
from internal.current_actors(workspaces) as current_files
join found on found.filename = current_files.file;
