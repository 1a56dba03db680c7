-- one row per window with time steps: its number and its usage, with runs by status last
select
  width_bucket(start, %(starts)s::timestamptz[]) - 1 as number,
  sum(credits),
  sum(characters),
  sum(lines),
  sum(corrected),
  sum(audio_ms),
  sum(runs_pending),
  sum(runs_running),
  sum(runs_paused),
  sum(runs_completed),
  sum(runs_failed),
  sum(runs_cancelled)
from rollup
where workspace_id = %(workspace_id)s and start >= (%(starts)s::timestamptz[])[1] and start < %(until)s
group by number
