-- one row per (workspace, UTC day) with a new or changed event
create temp table touched as
select distinct workspace_id, day from fresh
