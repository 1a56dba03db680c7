-- one row per (change, workspace) with usage in the quarter-hours between the old and the new starts of days
with workspace_quarters as ( -- one row per (workspace, quarter-hour)
  select workspace_id, quarter, sum(credits) as credits
  from read_parquet($files, hive_partitioning = true, hive_types = {'workspace_id': varchar, 'month': varchar})
  group by all
),
moved_starts as ( -- one row per (change, workspace, moved day): the credits that its start moves past
  select change, workspace_id, day, sum(credits) as moved_credits, sum(credits * direction) as gained_credits
  from workspace_quarters
  join moved_days on quarter >= first_quarter and quarter < end_quarter
  group by all
),
changed_days as ( -- one row per (change, workspace, local day) whose numbers change
  select change, workspace_id, day, sum(moved_credits) as moved_credits, sum(gained_credits)::bigint as gained_credits
  from (
    select change, workspace_id, day, moved_credits, gained_credits from moved_starts
    union all by name -- what a day gains, the day before it loses
    select change, workspace_id, (day - 1)::date as day, 0 as moved_credits, -gained_credits as gained_credits
    from moved_starts
  )
  group by all
)
select
  change,
  workspace_id,
  sum(moved_credits)::bigint,
  list({'day': day::varchar, 'credits': gained_credits} order by day)
from changed_days
group by change, workspace_id
order by change, workspace_id
