-- one row per (workspace, UTC day) that the read lines belong to
select distinct workspace_id, timestamp::date::varchar as day
from read
order by workspace_id, day
