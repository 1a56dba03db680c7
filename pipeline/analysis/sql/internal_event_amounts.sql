-- one row per event of one workspace from one local day to another, both included: what it adds to the API's totals
create macro internal.event_amounts(workspace, zone, from_date, to_date) as table
with period as materialized (
  select coalesce(min(known.starts), error('no days of a known time zone, or the first day is after the last')) as starts, max(known.ends) as ends
  from calendar as known
  where known.time_zone = zone and known.day between from_date and to_date
)
select
  event.timestamp,
  event.id,
  event.user_id,
  event.user_name,
  event.resource_type,
  event.resource_id,
  event.resource_name,
  event.credits,
  coalesce(list_sum(list_transform(event.languages, lambda l: l.characters)), 0) as characters,
  coalesce(list_sum(list_transform(event.languages, lambda l: l.lines)), 0) as lines,
  (event.action = 'workflow_run')::integer as runs,
  coalesce(list_sum(list_transform(event.languages, lambda l: l.corrected)), 0) as corrected,
  if(coalesce(event.run_status, 'completed') in ('completed', 'failed', 'cancelled'), event.audio_ms, 0) as audio_ms
from period
join internal.events_rows(internal.workspace(workspace)) as event
  on event.timestamp >= period.starts and event.timestamp < period.ends
-- Files of other days are skipped; no zone is more than 14 hours off UTC.
where event.day between from_date::date - 1 and to_date::date + 1;
