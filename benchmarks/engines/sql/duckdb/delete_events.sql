-- events of which a fresher version came
delete from events
using fresh
where events.workspace_id = fresh.workspace_id and events.day = fresh.day and events.id = fresh.id
