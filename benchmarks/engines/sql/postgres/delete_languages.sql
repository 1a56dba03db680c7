-- deletes one row per (event, locale) of events that a newer version replaces
delete from languages
using fresh
join events using (workspace_id, day, id)
where
  languages.workspace_id = events.workspace_id
  and languages.timestamp = events.timestamp
  and languages.id = events.id
