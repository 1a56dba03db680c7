-- one row per (workspace, UTC day) whose events changed; every touched one when $force
select workspace_id, day
from current
group by workspace_id, day
having max(source) >= 0 or $force
