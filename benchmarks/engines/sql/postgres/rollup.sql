-- one row per (workspace, time step, locale) of the touched UTC days; runs and audio are on the rows without a locale
insert into rollup
select
  workspace_id,
  date_bin(%(step)s::interval, timestamp, '2000-01-01T00:00Z') as start,
  locale,
  sum(credits)::bigint as credits,
  sum(characters)::bigint as characters,
  sum(lines)::bigint as lines,
  sum(corrected)::bigint as corrected,
  sum(audio_ms)::bigint as audio_ms,
  count(*) filter (where run_status = 'pending') as runs_pending,
  count(*) filter (where run_status = 'running') as runs_running,
  count(*) filter (where run_status = 'paused') as runs_paused,
  count(*) filter (where run_status = 'completed') as runs_completed,
  count(*) filter (where run_status = 'failed') as runs_failed,
  count(*) filter (where run_status = 'cancelled') as runs_cancelled
from touched
join (
  select workspace_id, timestamp, locale, credits, characters, lines, corrected, 0 as audio_ms, null as run_status
  from languages
  union all
  select workspace_id, timestamp, null, 0, 0, 0, 0, audio_ms, run_status
  from events
  where audio_ms > 0 or run_status is not null
) as used using (workspace_id)
where timestamp >= touched.day and timestamp < touched.day + 1
group by 1, 2, 3
order by 1, 2
