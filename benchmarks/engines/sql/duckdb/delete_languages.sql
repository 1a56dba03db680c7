-- deletes one row per (event, locale) of events that a newer version replaces
delete from languages
using fresh
where languages.workspace_id = fresh.workspace_id and languages.day = fresh.day and languages.id = fresh.id
