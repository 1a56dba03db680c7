-- one row per event (workspace, UTC day, id): the input of the expected numbers
select *
from stored_events
anti join duplicates using (workspace_id, day, position)
