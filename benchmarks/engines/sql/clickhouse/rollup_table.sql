-- one row per (workspace, quarter-hour, locale, time of the roll-up); merging keeps the last
create table rollup (
  workspace_id UUID,
  start DateTime('UTC'),
  locale LowCardinality(String),
  version UInt64,
  credits Int64,
  characters Int64,
  lines Int64,
  corrected Int64,
  audio_ms Int64,
  runs_pending Int64,
  runs_running Int64,
  runs_paused Int64,
  runs_completed Int64,
  runs_failed Int64,
  runs_cancelled Int64
)
engine = ReplacingMergeTree(version)
partition by toYYYYMM(start)
order by (workspace_id, start, locale)
settings do_not_merge_across_partitions_select_final = 1
