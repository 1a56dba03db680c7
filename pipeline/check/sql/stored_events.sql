-- one row per row of some events partitions, with its position in the file
select workspace_id, partition::date as day, * exclude (workspace_id, partition)
from stored_events_rows
