-- one row per standing event of the partitions $files, as if read from source -1
select *, -1 as source
from read_parquet(
  $files,
  hive_partitioning = true,
  hive_types = {'workspace_id': varchar, 'day': date}
)
