-- one row per (quarter-hour, locale) of one workspace; runs and audio are on the rows without a locale
create macro workspace_cube(workspace) as table
from internal.cube_rows(internal.workspace(workspace));
