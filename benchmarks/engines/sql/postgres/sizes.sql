-- one row per table: its bytes on disk, indexes included
select pg_total_relation_size(oid)
from pg_class
where relkind = 'r' and relnamespace = 'public'::regnamespace
