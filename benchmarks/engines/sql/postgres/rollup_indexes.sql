-- one entry per (workspace, time step, locale), for the questions
create index on rollup (workspace_id, start)
