-- one row per current actors file. Files are listed before the manifests are read: a file that both name can be read,
-- and a file that only a manifest names was published after the listing
create macro internal.current_actors(workspaces) as table
select
  case
    when listed.file is null then error('a run published new files: repeat the statement')
    else listed.file
  end as file
from glob(
  internal.files(listed_actors(), data_pattern() || '/actors/workspace_id=' || workspaces || '/*/*.parquet', workspaces)
) as listed
right join internal.manifest(workspaces) as named on listed.file = data_folder() || '/' || named.actors;
