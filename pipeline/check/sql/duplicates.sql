-- one row per row of a partition that repeats an id from further up in it
with repeated as (
  select workspace_id, day, id
  from stored_events
  group by workspace_id, day, id
  having count(*) > 1
)
select workspace_id, day, position
from stored_events
semi join repeated using (workspace_id, day, id)
qualify row_number() over (partition by workspace_id, day, id order by position) > 1
