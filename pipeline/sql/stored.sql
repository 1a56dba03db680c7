-- one row per standing event of the partitions $files, as if delivered by source -1
select
  workspace_id,
  day,
  id,
  timestamp,
  recorded_at,
  action,
  kind,
  resource_type,
  resource_id,
  resource_name,
  user_id,
  user_name,
  metadata,
  ip,
  run_id,
  run_status,
  credits,
  audio_ms,
  languages,
  -1 as source
from read_parquet(
  $files,
  hive_partitioning = true,
  hive_types = {'workspace_id': varchar, 'day': date}
)
