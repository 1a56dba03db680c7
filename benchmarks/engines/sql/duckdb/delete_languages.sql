-- languages of events of which a fresher version came
delete from languages
using fresh
where languages.workspace_id = fresh.workspace_id and languages.day = fresh.day and languages.id = fresh.id
