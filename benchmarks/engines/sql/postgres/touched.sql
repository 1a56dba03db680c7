-- one row per (workspace, UTC day) that holds a fresh event
create temp table touched as
select distinct workspace_id, day from fresh
