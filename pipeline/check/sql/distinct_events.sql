-- one row per (workspace, UTC day, id): what the numbers follow from
select *
from stored_events
anti join duplicates using (workspace_id, day, position)
