-- one row per window with events: its number and its usage, with runs by status last
select
  indexOf({starts:Array(Int64)}, roundDown(toUnixTimestamp64Micro(timestamp), {starts:Array(Int64)})) - 1 as number,
  sum(credits),
  sum(characters),
  sum(lines),
  sum(corrected),
  sum(audio_ms),
  countIf(run_status = 'pending'),
  countIf(run_status = 'running'),
  countIf(run_status = 'paused'),
  countIf(run_status = 'completed'),
  countIf(run_status = 'failed'),
  countIf(run_status = 'cancelled')
from events final
where
  workspace_id = {workspace_id:UUID}
  and timestamp >= fromUnixTimestamp64Micro({starts:Array(Int64)}[1])
  and timestamp < fromUnixTimestamp64Micro({until:Int64})
group by number
