-- languages of events of which a fresher version came
delete from languages
using fresh
join events using (workspace_id, day, id)
where
  languages.workspace_id = events.workspace_id
  and languages.timestamp = events.timestamp
  and languages.id = events.id
