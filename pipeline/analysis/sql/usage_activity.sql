-- one row per event of the last `days` local days, newest first: who did what
create macro usage_activity(workspace, zone, days, action := null, user_id := null) as table
with period as materialized (
  select min(local.starts) as starts, max(local.ends) as ends
  from local_days(zone, days) as local
)
select
  event.id,
  event.timestamp,
  event.action,
  event.kind,
  event.resource_type,
  event.resource_id,
  event.resource_name,
  event.user_id,
  event.user_name,
  event.metadata,
  event.ip
from period
join workspace_events(workspace) as event on event.timestamp >= period.starts and event.timestamp < period.ends
where
  -- DuckDB knows this range before it begins and skips the files of other days; no zone is more than 14 hours off UTC.
  event.day between (instant() - to_days(days::integer + 1))::date and (instant() + to_days(2))::date
  and (action is null or event.action = action)
  and (user_id is null or event.user_id = lower(user_id))
order by event.timestamp desc, event.id desc;
