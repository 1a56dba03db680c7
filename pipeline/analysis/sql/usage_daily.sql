-- one row per local day: the workspace's usage in the last `days` days including today, oldest first
create macro usage_daily(workspace, zone, days) as table
select
  local.day,
  local.starts,
  local.ends,
  coalesce(sum(used.credits), 0)::bigint as credits,
  coalesce(sum(used.characters), 0)::bigint as characters,
  coalesce(sum(used.lines), 0)::bigint as lines,
  coalesce(
    sum(
      used.runs_pending + used.runs_running + used.runs_paused
      + used.runs_completed + used.runs_failed + used.runs_cancelled
    ),
    0
  )::bigint as runs,
  coalesce(sum(used.corrected), 0)::bigint as corrected,
  coalesce(sum(used.audio_ms), 0)::bigint as audio_ms,
  coalesce(sum(used.runs_completed), 0)::bigint as runs_completed,
  coalesce(sum(used.runs_failed), 0)::bigint as runs_failed,
  coalesce(sum(used.runs_cancelled), 0)::bigint as runs_cancelled,
  coalesce(sum(used.runs_running), 0)::bigint as runs_running,
  coalesce(sum(used.runs_pending), 0)::bigint as runs_pending,
  coalesce(sum(used.runs_paused), 0)::bigint as runs_paused
from local_days(zone, days) as local
left join workspace_cube(workspace) as used on used.quarter >= local.starts and used.quarter < local.ends
group by local.day, local.starts, local.ends
order by local.day;
