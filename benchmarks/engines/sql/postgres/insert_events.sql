-- one row per new or changed event with its total usage, ordered by workspace and time
insert into events
select
  workspace_id,
  day,
  id,
  timestamp,
  recorded_at,
  status_rank,
  record->>'action',
  record->>'kind',
  record->'resource'->>'type',
  record->'resource'->>'id',
  record->'resource'->>'name',
  (record->'user'->>'id')::uuid,
  record->'user'->>'name',
  nullif(record->'metadata', 'null')::text,
  record->>'ip',
  case when record->>'action' = 'workflow_run' then status end,
  credits,
  case
    when status is null or status in ('completed', 'failed', 'cancelled')
      then coalesce((record->'usage'->>'audio_ms')::bigint, 0)
    else 0
  end,
  coalesce(used.characters, 0),
  coalesce(used.lines, 0),
  coalesce(used.corrected, 0)
from fresh
left join (
  select workspace_id, day, id, sum(characters) as characters, sum(lines) as lines, sum(corrected) as corrected
  from uses
  group by workspace_id, day, id
) as used using (workspace_id, day, id)
order by workspace_id, timestamp, id
