-- one row per (workspace, month) of one workspace, or with `*` of all: the current files
create macro internal.manifest(workspaces) as table
with manifests as (
  from read_json(
    data_pattern() || '/manifests/' || workspaces || '.json',
    allow_empty := true,
    format := 'newline_delimited',
    columns := {workspace_id: 'varchar', months: 'map(varchar, struct(cube varchar, actors varchar))'}
  )
  union all by name
  select null::varchar as workspace_id, null::map(varchar, struct(cube varchar, actors varchar)) as months where false
)
select workspace_id, unnest(map_values(months), recursive := true)
from manifests;
