-- one row per rejected line
create view quarantine as
with stored as (
  from read_parquet(data_pattern() || '/quarantine/*.parquet', allow_empty := true)
  union all by name
  from internal.quarantine
)
select source_file, line_number, reason, field, message, line, loaded_at
from stored;
