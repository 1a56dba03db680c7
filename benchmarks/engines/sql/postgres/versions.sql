-- one row per (workspace, UTC day, id) of the staged lines: the newest version among them
create temp table versions as
with lines as (
  select
    record,
    (record->>'timestamp')::timestamptz as timestamp,
    coalesce(record->>'recorded_at', record->>'timestamp')::timestamptz as recorded_at,
    record->'run'->>'status' as status,
    coalesce((record->'usage'->>'credits')::bigint, 0) as credits
  from staging
),
ranked as (
  select
    *,
    (record->>'workspace_id')::uuid as workspace_id,
    (timestamp at time zone 'UTC')::date as day,
    record->>'id' collate "C" as id,
    coalesce(array_position(array['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'], status), 0)
      as status_rank
  from lines
)
select distinct on (workspace_id, day, id) *
from ranked
order by workspace_id, day, id, recorded_at desc, status_rank desc, credits desc
