-- one row per (workspace, UTC day)
create temp table touched as
select distinct workspace_id, day from events
