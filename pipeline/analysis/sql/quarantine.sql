-- one row per rejected line
create view quarantine as
with stored as (
  from read_parquet(
    internal.files(listed_quarantine(), data_pattern() || '/quarantine/*.parquet', '*'),
    allow_empty := internal.may_be_none(listed_quarantine(), '*')
  )
  union all by name
  from internal.quarantine
)
select source_file, line_number, reason, field, message, line, loaded_at
from stored;
