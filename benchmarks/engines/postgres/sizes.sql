-- one row per table of the schemas that are looked into: its bytes with its indexes
select pg_total_relation_size(oid)
from pg_class
where relkind = 'r' and relnamespace = any (current_schemas(false)::regnamespace[])
