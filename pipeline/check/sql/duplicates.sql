-- one row per stored row that repeats the id of an earlier row in its partition
with repeated_ids as (
  select workspace_id, day, id
  from stored_events
  group by workspace_id, day, id
  having count(*) > 1
)
select workspace_id, day, position
from stored_events
semi join repeated_ids using (workspace_id, day, id)
qualify row_number() over (partition by workspace_id, day, id order by position) > 1
