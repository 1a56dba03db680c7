-- one row per (workspace, month, quarter, locale) of the changed months
with day_rows as (
  select * from day_cube
  semi join days on day_cube.workspace_id = days.workspace_id and day_cube.quarter::date = days.day
),
kept as (
  select * from stored_cube
  anti join days on stored_cube.workspace_id = days.workspace_id and stored_cube.quarter::date = days.day
)
select workspace_id, strftime(quarter, '%Y-%m') as partition, * exclude (workspace_id)
from (select * from kept union all by name select * from day_rows)
order by workspace_id, quarter, locale nulls first
