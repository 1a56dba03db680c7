-- one row per delivered version of an id that was delivered several times, 1 the best that can be told without writing
-- all of it out
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
