-- one row per local day, by the engine's own zone data: credits, characters, lines, runs
select
  date_trunc('day', timestamp at time zone %(zone)s)::date as day,
  sum(credits),
  sum(characters),
  sum(lines),
  count(run_status)
from events
where workspace_id = %(workspace_id)s and timestamp >= %(since)s and timestamp < %(until)s
group by 1
