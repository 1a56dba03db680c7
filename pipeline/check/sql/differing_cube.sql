-- one row per differing number (workspace, quarter, locale, measure) of the cube, at most $most
-- `differing` counts all of them
with both_tables as (
  select 1 as side, 1 as rows, * from published_cube
  union all by name
  select -1 as side, 1 as rows, * from expected_cube
),
differing_rows as (
  select workspace_id, month, quarter, locale
  from both_tables
  group by workspace_id, month, quarter, locale
  having
    sum(side) <> 0
    or sum(side * credits) <> 0
    or sum(side * characters) <> 0
    or sum(side * lines) <> 0
    or sum(side * corrected) <> 0
    or sum(side * audio_ms) <> 0
    or sum(side * runs_pending) <> 0
    or sum(side * runs_running) <> 0
    or sum(side * runs_paused) <> 0
    or sum(side * runs_completed) <> 0
    or sum(side * runs_failed) <> 0
    or sum(side * runs_cancelled) <> 0
),
numbers as (
  unpivot (
    from both_tables
    semi join differing_rows
      on both_tables.workspace_id = differing_rows.workspace_id
      and both_tables.month = differing_rows.month
      and both_tables.quarter = differing_rows.quarter
      and both_tables.locale is not distinct from differing_rows.locale
  )
  on columns(* exclude (side, workspace_id, month, quarter, locale))
  into name measure value number
),
differing_numbers as (
  select
    workspace_id,
    month,
    quarter,
    locale,
    measure,
    sum(number) filter (side = 1) as published,
    sum(number) filter (side = -1) as expected
  from numbers
  group by workspace_id, month, quarter, locale, measure
  having coalesce(published, 0) <> coalesce(expected, 0)
  -- a missing or repeated row is reported by itself only if none of its numbers differs
  qualify measure <> 'rows' or count(*) over (partition by workspace_id, month, quarter, locale) = 1
)
select
  workspace_id,
  strftime(quarter, '%Y-%m-%dT%H:%M:%SZ') as quarter,
  coalesce(locale, 'untagged') as locale,
  measure,
  published,
  expected,
  count(*) over () as differing
from differing_numbers as cells
order by cells.workspace_id, cells.quarter, cells.locale nulls first, month, measure
limit $most
