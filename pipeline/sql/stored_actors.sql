-- one row per (workspace, user, action, UTC day) of the months $files
select * exclude (month)
from read_parquet($files, hive_partitioning = true, hive_types = {'workspace_id': varchar, 'month': varchar})
