-- one row per actors file that stands; the listing is older than the manifests, so that what both name is there to be read
create macro internal.current_actors(workspaces) as table
select
  case
    when listed.file is null then error('a run published meanwhile: ask again')
    else listed.file
  end as file
from glob(data_pattern() || '/actors/workspace_id=' || workspaces || '/*/*.parquet') as listed
right join internal.manifest(workspaces) as named on listed.file = data_folder() || '/' || named.actors;
