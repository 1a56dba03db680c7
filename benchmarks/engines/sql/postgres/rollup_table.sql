-- one row per (workspace, start of a time step, locale)
create table rollup (
  workspace_id uuid not null,
  start timestamptz not null,
  locale text collate "C",
  credits bigint not null,
  characters bigint not null,
  lines bigint not null,
  corrected bigint not null,
  audio_ms bigint not null,
  runs_pending bigint not null,
  runs_running bigint not null,
  runs_paused bigint not null,
  runs_completed bigint not null,
  runs_failed bigint not null,
  runs_cancelled bigint not null
)
