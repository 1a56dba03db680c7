-- one row per window with events: its number and its usage, with runs by status last
with windows as (
  select unnest(range(len($starts))) as number, make_timestamp(unnest($starts)) as start
)
select
  windows.number,
  sum(credits),
  sum(characters),
  sum(lines),
  sum(corrected),
  sum(audio_ms),
  count(*) filter (run_status = 'pending'),
  count(*) filter (run_status = 'running'),
  count(*) filter (run_status = 'paused'),
  count(*) filter (run_status = 'completed'),
  count(*) filter (run_status = 'failed'),
  count(*) filter (run_status = 'cancelled')
from events
asof join windows on events.timestamp >= windows.start
where workspace_id = $workspace_id and timestamp < make_timestamp($until)
group by windows.number
