-- one row per workspace, busiest first: its number of events since an instant, and the event in the middle of them
with events as (
  select
    workspace_id,
    epoch_us(timestamp) as timestamp,
    id,
    count(*) over (partition by workspace_id) as events,
    row_number() over (partition by workspace_id order by timestamp desc, id desc) as place
  from read_parquet($files, hive_partitioning = true)
  where timestamp >= make_timestamp($since)
)
select workspace_id, events, timestamp, id
from events
where place = (events + 1) // 2
order by events desc, workspace_id
