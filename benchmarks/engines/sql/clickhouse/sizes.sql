-- one row per table: its bytes on disk
select table, sum(bytes_on_disk)
from system.parts
where active and database = currentDatabase()
group by table
