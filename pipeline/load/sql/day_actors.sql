-- one row per (workspace, user, action, UTC day) of the changed days, in an order that is always the same
select workspace_id, user_id, action, day, count(*) as events, sum(credits)::bigint as credits
from current
semi join changed using (workspace_id, day)
group by workspace_id, user_id, action, day
order by workspace_id, day, action, user_id nulls first
