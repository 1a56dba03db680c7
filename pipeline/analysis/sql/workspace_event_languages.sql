-- one row per (event, locale), with the credits that are the locale's; of one workspace
create macro workspace_event_languages(workspace) as table
from internal.languages_rows(internal.workspace(workspace));
