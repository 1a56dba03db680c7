-- deletes one row per event that a newer version replaces
delete from events
using fresh
where events.workspace_id = fresh.workspace_id and events.day = fresh.day and events.id = fresh.id
