-- one row per event of one workspace: its current version
create macro workspace_events(workspace) as table
from internal.events_rows(internal.workspace(workspace));
