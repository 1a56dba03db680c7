-- one row per (workspace, UTC day, id): what the numbers follow from
select *
from held
anti join copies using (workspace_id, day, position)
