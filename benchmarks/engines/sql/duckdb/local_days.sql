-- one row per local day, by the engine's own zone data: credits, characters, lines, runs
select
  (timestamp at time zone 'UTC' at time zone $zone)::date as day,
  sum(credits),
  sum(characters),
  sum(lines),
  count(run_status)
from events
where workspace_id = $workspace_id and timestamp >= make_timestamp($since) and timestamp < make_timestamp($until)
group by 1
