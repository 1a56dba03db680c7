-- one row per version of an id that has several: its rank by everything but the canonical JSON, 1 being the best
select
  position,
  workspace_id,
  day,
  id,
  rank() over (
    partition by workspace_id, day, id
    order by
      recorded_at desc,
      coalesce(list_position(['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'], run_status), 0) desc,
      credits desc
  ) as rank
from versions
semi join repeated using (position)
