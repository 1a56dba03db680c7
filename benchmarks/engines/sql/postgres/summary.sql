-- one row per window with events: its number and its usage, with runs by status last
select
  width_bucket(timestamp, %(starts)s::timestamptz[]) - 1 as number,
  sum(credits),
  sum(characters),
  sum(lines),
  sum(corrected),
  sum(audio_ms),
  count(*) filter (where run_status = 'pending'),
  count(*) filter (where run_status = 'running'),
  count(*) filter (where run_status = 'paused'),
  count(*) filter (where run_status = 'completed'),
  count(*) filter (where run_status = 'failed'),
  count(*) filter (where run_status = 'cancelled')
from events
where
  workspace_id = %(workspace_id)s
  and timestamp >= (%(starts)s::timestamptz[])[1]
  and timestamp < %(until)s
group by number
