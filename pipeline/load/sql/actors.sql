-- one row per (workspace, month, user, action, UTC day) of the changed months
with day_rows as (
  select * from day_actors
  semi join days using (workspace_id, day)
),
kept as (
  select * from stored_actors
  anti join days using (workspace_id, day)
)
select workspace_id, strftime(day, '%Y-%m') as partition, * exclude (workspace_id)
from (select * from kept union all by name select * from day_rows)
order by workspace_id, day, action, user_id nulls first
