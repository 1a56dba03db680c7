-- one row per published slice of a run; most runs have one slice
create view runs as
with lines as (
  from read_ndjson_objects(
    internal.files(listed_runs(), data_pattern() || '/runs/*.jsonl', '*'),
    allow_empty := internal.may_be_none(listed_runs(), '*')
  )
  union all by name
  select null::json as json where false
)
select unnest(
  from_json(
    json,
    '{
      "run": "varchar",
      "started": "timestamp",
      "data_as_of": "timestamp",
      "sequence": "bigint",
      "files": "bigint",
      "bytes": "bigint",
      "lines": "bigint",
      "accepted": "bigint",
      "duplicates": "bigint",
      "rejected": "bigint",
      "blank": "bigint",
      "reasons": "map(varchar, bigint)",
      "workspaces": "bigint",
      "partitions": "bigint",
      "seconds": "map(varchar, double)",
      "errors": [{"file": "varchar", "error": "varchar"}]
    }'
  )
)
from lines;
