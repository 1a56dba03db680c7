-- one row per (workspace, month, user, action, UTC day) of the touched months
with folded as (
  select workspace_id, user_id, action, day, count(*) as events, sum(credits)::bigint as credits
  from standing
  semi join changed using (workspace_id, day)
  group by workspace_id, user_id, action, day
),
kept as (
  select * from stored_actors
  anti join changed using (workspace_id, day)
)
select workspace_id, strftime(day, '%Y-%m') as partition, * exclude (workspace_id)
from (select * from kept union all by name select * from folded)
order by workspace_id, day, action, user_id nulls first
