-- one row per events partition (workspace, UTC day): how many rows it has, and how many of them break each rule
with partition_duplicates as (
  select workspace_id, day, count(*) as duplicates
  from duplicates
  group by workspace_id, day
),
-- One row per stored row, with the timestamp and id of the row above it.
row_pairs as (
  select *, lag(timestamp) over file as timestamp_above, lag(id) over file as id_above
  from stored_events
  window file as (partition by workspace_id, day order by position)
)
select
  workspace_id,
  day::varchar as day,
  count(*) as rows,
  count(*) filter (timestamp::date <> day) as other_day,
  coalesce(any_value(duplicates), 0) as duplicates,
  count(*) filter (timestamp > timestamp_above or (timestamp = timestamp_above and id > id_above)) as unsorted,
  count(*) filter (
    len(list_distinct(list_transform(languages, lambda l: coalesce(l.locale, '')))) < len(languages)
  ) as repeated_locale
from row_pairs
left join partition_duplicates using (workspace_id, day)
group by workspace_id, day
order by workspace_id, day
