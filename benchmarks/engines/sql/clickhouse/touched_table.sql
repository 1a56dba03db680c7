-- one row per (workspace, UTC day) to be rolled up
create table touched (workspace_id UUID, day Date) engine = Memory
