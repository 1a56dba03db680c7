-- one row per window with events: its number and its usage, with runs by status last
with windows as (
  select unnest(range(len($starts))) as number, make_timestamp(unnest($starts)) as start
),
events as (
  select
    timestamp,
    credits,
    coalesce(list_sum(list_transform(languages, lambda l: l.characters)), 0) as characters,
    coalesce(list_sum(list_transform(languages, lambda l: l.lines)), 0) as lines,
    coalesce(list_sum(list_transform(languages, lambda l: l.corrected)), 0) as corrected,
    case when run_status is null or run_status in ('completed', 'failed', 'cancelled') then audio_ms else 0 end
      as audio_ms,
    case when action = 'workflow_run' then run_status end as run_status
  from read_parquet($files, hive_partitioning = false)
  where timestamp < make_timestamp($until)
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
group by windows.number
