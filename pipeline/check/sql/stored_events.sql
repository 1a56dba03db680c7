-- one row per stored row of the events, with its position in the file
select workspace_id, partition::date as day, * exclude (workspace_id, partition)
from stored_events_rows
