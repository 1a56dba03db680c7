-- one row per (workspace, UTC day) that holds events
insert into touched
select distinct workspace_id, toDate(timestamp) from events
