-- one row per published row of the cube
-- only for the days from $first to $last, without the days ($unread_workspaces[i], $unread_days[i]), whose events are
-- unreadable
with unread as (
  select unnest($unread_workspaces::varchar[]) as workspace_id, unnest($unread_days::date[]) as day
)
select workspace_id, partition as month, * exclude (workspace_id, partition, position)
from published_cube_rows as rows
anti join unread on rows.workspace_id = unread.workspace_id and rows.quarter::date = unread.day
where quarter::date between $first and $last
