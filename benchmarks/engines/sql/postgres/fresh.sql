-- one row per (workspace, UTC day, id) whose delivered version is the first, or newer than the stored one
create temp table fresh as
select versions.*
from versions
left join events using (workspace_id, day, id)
where
  events.id is null
  or (versions.recorded_at, versions.status_rank, versions.credits)
    > (events.recorded_at, events.status_rank, events.credits)
