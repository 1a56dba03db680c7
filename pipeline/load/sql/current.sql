-- one row per event of the touched partitions: its current version
select *
from versions
anti join superseded using (position)
