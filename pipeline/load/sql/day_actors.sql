-- one row per (workspace, user, action, UTC day) of the changed days, sorted by workspace
select workspace_id, user_id, action, day, count(*) as events, sum(credits)::bigint as credits
from current
semi join changed using (workspace_id, day)
group by workspace_id, user_id, action, day
order by workspace_id
