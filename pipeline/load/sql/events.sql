-- one row per event of the changed partitions, partition by partition, newest event first
select workspace_id, day::varchar as partition, position
from current
semi join changed using (workspace_id, day)
order by workspace_id, day, timestamp desc, id desc
