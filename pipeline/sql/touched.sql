-- one row per (workspace, UTC day) that the read lines belong to
select distinct workspace_id, day::varchar as day
from deliveries
order by workspace_id, day
