-- one row per bucket of an activity view, oldest first: 7 local days, 12 weeks from Monday or 12 calendar months
create macro usage_buckets(workspace, zone, activity_view) as table
select
  bucket.label,
  bucket.starts,
  bucket.ends,
  coalesce(sum(used.credits), 0)::bigint as credits,
  coalesce(sum(used.characters), 0)::bigint as characters,
  coalesce(sum(used.lines), 0)::bigint as lines,
  coalesce(
    sum(
      used.runs_pending + used.runs_running + used.runs_paused
      + used.runs_completed + used.runs_failed + used.runs_cancelled
    ),
    0
  )::bigint as runs
from internal.buckets(zone, activity_view) as bucket
left join workspace_cube(workspace) as used on used.quarter >= bucket.starts and used.quarter < bucket.ends
group by bucket.label, bucket.first_day, bucket.starts, bucket.ends
order by bucket.first_day;
