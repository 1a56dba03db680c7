-- one row per event, as its standing version says; of one workspace
create macro workspace_events(workspace) as table
from internal.events_rows(internal.workspace(workspace));
