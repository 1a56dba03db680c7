-- what questions read
create index on rollup (workspace_id, start)
