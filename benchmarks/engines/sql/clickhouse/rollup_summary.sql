-- one row per window with quarter-hours: its number and its usage, with runs by status last
select
  indexOf({starts:Array(Int64)}, roundDown(toInt64(toUnixTimestamp(start)) * 1000000, {starts:Array(Int64)})) - 1
    as number,
  sum(credits),
  sum(characters),
  sum(lines),
  sum(corrected),
  sum(audio_ms),
  sum(runs_pending),
  sum(runs_running),
  sum(runs_paused),
  sum(runs_completed),
  sum(runs_failed),
  sum(runs_cancelled)
from rollup final
where
  workspace_id = {workspace_id:UUID}
  and start >= fromUnixTimestamp64Micro({starts:Array(Int64)}[1])
  and start < fromUnixTimestamp64Micro({until:Int64})
group by number
