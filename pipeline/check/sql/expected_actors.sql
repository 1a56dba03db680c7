-- one row per (workspace, month, user, action, UTC day), as it follows from the events
-- only for the months ($workspaces[i], $months[i]) and the days from $first to $last
select
  workspace_id,
  strftime(timestamp, '%Y-%m') as month,
  user_id,
  action,
  timestamp::date as day,
  count(*) as events,
  sum(credits) as credits
from distinct_events
where
  timestamp::date between $first and $last
  and (workspace_id, strftime(timestamp, '%Y-%m')) in (
    select (unnest($workspaces::varchar[]), unnest($months::varchar[]))
  )
group by all
