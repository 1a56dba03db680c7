-- one row per delivered version, read or stored: what versions, cube and actors ask of it
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
from delivered
