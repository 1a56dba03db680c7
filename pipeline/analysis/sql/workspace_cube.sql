-- one row per (workspace, quarter-hour, locale); runs and audio are on the rows without locale; of one workspace
create macro workspace_cube(workspace) as table
from internal.cube_rows(internal.workspace(workspace));
