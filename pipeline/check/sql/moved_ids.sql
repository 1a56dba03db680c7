-- one row per (workspace, id) that occurs on several UTC days in the partitions $files, at most $most
-- `moved_ids` counts all of them
select
  workspace_id,
  id,
  count(*) as rows,
  min(day)::varchar as first_day,
  max(day)::varchar as last_day,
  count(*) over () as moved_ids
from read_parquet($files, hive_partitioning = true, hive_types = {'workspace_id': varchar, 'day': date})
group by workspace_id, id
having min(day) <> max(day)
order by workspace_id, id
limit $most
