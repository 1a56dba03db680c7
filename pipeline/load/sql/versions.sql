-- one row per version, read or stored, with the columns that versions, cube and actors need
select
  position,
  workspace_id,
  timestamp::date as day,
  id,
  timestamp,
  recorded_at,
  action,
  user_id,
  run_status,
  credits,
  audio_ms,
  languages,
  source
from versions_rows
