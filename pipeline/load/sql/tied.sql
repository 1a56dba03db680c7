-- one row per version that shares rank 1 with another one: only the canonical JSON can decide between them
with events as (
  select workspace_id, day, id
  from ranked
  where rank = 1
  group by workspace_id, day, id
  having count(*) > 1
)
select position
from ranked
semi join events using (workspace_id, day, id)
where rank = 1
order by position
