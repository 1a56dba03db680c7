-- one row per version of an event; merging keeps the one with the greatest `version`. An empty locale is untagged
create table events (
  workspace_id UUID,
  timestamp DateTime64(6, 'UTC'),
  id String,
  version UInt64,
  action LowCardinality(String),
  kind LowCardinality(String),
  resource_type LowCardinality(String),
  resource_id Nullable(String),
  resource_name Nullable(String),
  user_id Nullable(UUID),
  user_name LowCardinality(Nullable(String)),
  metadata Nullable(String),
  ip Nullable(String),
  run_status LowCardinality(String),
  credits Int64,
  audio_ms Int64,
  characters Int64,
  lines Int64,
  corrected Int64,
  languages Nested (
    locale LowCardinality(String),
    credits Int64,
    characters Int64,
    lines Int64,
    corrected Int64
  )
)
engine = ReplacingMergeTree(version)
partition by toYYYYMM(timestamp)
order by (workspace_id, timestamp, id)
settings do_not_merge_across_partitions_select_final = 1
