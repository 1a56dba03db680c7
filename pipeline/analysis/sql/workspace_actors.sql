-- one row per (user, action, UTC day) of one workspace
create macro workspace_actors(workspace) as table
from internal.actors_rows(internal.workspace(workspace));
