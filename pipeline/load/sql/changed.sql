-- one row per (workspace, UTC day) whose events changed, or all that were touched when $force
select workspace_id, day
from current
group by workspace_id, day
having max(source) >= 0 or $force
