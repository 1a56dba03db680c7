-- one row per (workspace, user, action, UTC day) in the current files of one workspace, or with `*` of all
create macro internal.actors_rows(workspaces) as table
with stored as (
  from read_parquet(
    internal.files(listed_actors(), data_pattern() || '/actors/workspace_id=' || workspaces || '/*/*.parquet', workspaces),
    allow_empty := internal.may_be_none(listed_actors(), workspaces),
    filename := true,
    hive_partitioning := true,
    hive_types := {workspace_id: varchar, month: varchar},
    hive_types_autocast := false
  )
  union all by name
  from internal.actors
)
select stored.workspace_id, month, user_id, action, day, events, credits
from internal.current_actors(workspaces) as current_files
join stored on stored.filename = current_files.file;
