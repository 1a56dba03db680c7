-- one row per differing number (workspace, user, action, UTC day, measure) of the actors, at most $most
-- `differing` counts all of them
with both_tables as (
  select 1 as side, 1 as rows, * from published_actors
  union all by name
  select -1 as side, 1 as rows, * from expected_actors
),
numbers as (
  unpivot both_tables
  on rows, events, credits
  into name measure value number
),
differing_numbers as (
  select
    workspace_id,
    month,
    day,
    user_id,
    action,
    measure,
    sum(number) filter (side = 1) as published,
    sum(number) filter (side = -1) as expected
  from numbers
  group by workspace_id, month, day, user_id, action, measure
  having coalesce(published, 0) <> coalesce(expected, 0)
  -- a missing or repeated row is reported by itself only if none of its numbers differs
  qualify measure <> 'rows' or count(*) over (partition by workspace_id, month, day, user_id, action) = 1
)
select
  workspace_id,
  day::varchar as day,
  coalesce(user_id, 'no user') as user_id,
  action,
  measure,
  published,
  expected,
  count(*) over () as differing
from differing_numbers as cells
order by cells.workspace_id, cells.day, cells.user_id nulls first, cells.action, month, measure
limit $most
