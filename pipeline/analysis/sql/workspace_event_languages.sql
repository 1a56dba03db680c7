-- one row per (event, locale) of one workspace: the locale's share of the credits, and its characters and lines
create macro workspace_event_languages(workspace) as table
from internal.languages_rows(internal.workspace(workspace));
