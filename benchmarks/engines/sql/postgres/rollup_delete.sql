-- what the touched UTC days had
delete from rollup
using touched
where rollup.workspace_id = touched.workspace_id and start >= touched.day and start < touched.day + 1
