-- one row per (workspace, UTC day) whose events changed
select workspace_id, day::varchar as day
from changed
order by workspace_id, day
