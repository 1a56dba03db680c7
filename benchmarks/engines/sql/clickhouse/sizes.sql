-- one row per table: what it takes
select table, sum(bytes_on_disk)
from system.parts
where active and database = currentDatabase()
group by table
