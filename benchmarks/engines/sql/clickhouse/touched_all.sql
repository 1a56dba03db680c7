-- one row per (workspace, UTC day) with events
insert into touched
select distinct workspace_id, toDate(timestamp) from events
