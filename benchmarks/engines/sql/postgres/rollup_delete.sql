-- deletes one row per (workspace, time step, locale) of the touched UTC days
delete from rollup
using touched
where rollup.workspace_id = touched.workspace_id and start >= touched.day and start < touched.day + 1
