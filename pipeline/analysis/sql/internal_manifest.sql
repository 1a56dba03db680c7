-- one row per (workspace, month) of one workspace, or with `*` of all: the current files, relative to the data folder.
-- Manifests name them, or `internal.months` where the files are listed
create macro internal.manifest(workspaces) as table
with manifests as (
  from read_json(
    internal.files(
      if(listed_cube() is null, null, ''),
      data_pattern() || '/manifests/' || workspaces || '.json',
      workspaces
    ),
    allow_empty := true,
    format := 'newline_delimited',
    columns := {workspace_id: 'varchar', months: 'map(varchar, struct(cube varchar, actors varchar))'}
  )
  union all by name
  select null::varchar as workspace_id, null::map(varchar, struct(cube varchar, actors varchar)) as months where false
)
select workspace_id, unnest(map_values(months), recursive := true)
from manifests
union all by name
select workspace_id, cube, actors
from internal.months
where workspaces in ('*', workspace_id);
