-- one row per standing event of the changed partitions, each partition in one piece, newest first
select workspace_id, day::varchar as partition, position
from current
semi join changed using (workspace_id, day)
order by workspace_id, day, timestamp desc, id desc
