-- one row per (change, workspace) with numbers in the quarter-hours between the old and the new starts of days
with held as (
  select workspace_id, quarter, sum(credits) as credits
  from read_parquet($files, hive_partitioning = true, hive_types = {'workspace_id': varchar, 'month': varchar})
  group by all
),
passing as ( -- one row per (change, workspace, moved day): what passes the start of the day
  select change, workspace_id, day, sum(credits) as passes, sum(credits * direction) as gained
  from held
  join moved_days on quarter >= first_quarter and quarter < end_quarter
  group by all
),
counted as ( -- one row per (change, workspace, local day) whose numbers differ
  select change, workspace_id, day, sum(passes) as passes, sum(gained)::bigint as credits
  from (
    select change, workspace_id, day, passes, gained from passing
    union all by name
    select change, workspace_id, (day - 1)::date as day, 0 as passes, -gained as gained from passing
  )
  group by all
)
select change, workspace_id, sum(passes)::bigint, list({'day': day::varchar, 'credits': credits} order by day)
from counted
group by change, workspace_id
order by change, workspace_id
