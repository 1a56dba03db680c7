-- one row per (workspace, UTC day) with events in a file
insert into touched
select distinct workspace_id, toDate(parseDateTime64BestEffort(timestamp, 6, 'UTC'))
from file({files:String}, JSONEachRow, 'workspace_id UUID, timestamp String')
