-- one row per (workspace, UTC month) with a changed day
select distinct workspace_id, strftime(day, '%Y-%m') as month
from changed
order by workspace_id, month
