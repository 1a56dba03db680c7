-- one row per step of a window, oldest first: the workspace's usage in quarter-hours, hours, days, weeks or months
create macro usage_between(
  workspace, zone, from_instant, to_instant, step, week_begins := 'monday', day_begins := 0
) as table
with steps as materialized (
  from internal.steps(zone, from_instant, to_instant, step, week_begins, day_begins)
),
used as ( -- one row per step with usage
  select
    started.day,
    started.starts,
    sum(cube.credits)::bigint as credits,
    sum(cube.characters)::bigint as characters,
    sum(cube.lines)::bigint as lines,
    sum(
      cube.runs_pending + cube.runs_running + cube.runs_paused
      + cube.runs_completed + cube.runs_failed + cube.runs_cancelled
    )::bigint as runs,
    sum(cube.corrected)::bigint as corrected,
    sum(cube.audio_ms)::bigint as audio_ms
  from workspace_cube(workspace) as cube
  asof join (select day, starts from steps where ends > starts) as started on cube.quarter >= started.starts
  where cube.quarter >= internal.utc(from_instant) and cube.quarter < internal.utc(to_instant)
  group by started.day, started.starts
)
select
  steps.day,
  steps.starts,
  steps.ends,
  coalesce(used.credits, 0) as credits,
  coalesce(used.characters, 0) as characters,
  coalesce(used.lines, 0) as lines,
  coalesce(used.runs, 0) as runs,
  coalesce(used.corrected, 0) as corrected,
  coalesce(used.audio_ms, 0) as audio_ms
from steps
left join used using (day, starts)
order by steps.starts, steps.day;
