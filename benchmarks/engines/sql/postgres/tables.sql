-- one row per delivered line in `staging`, per event in `events`, per (event, locale) in `languages`
create unlogged table staging (record jsonb not null);
create table events (
  workspace_id uuid not null,
  day date not null,
  id text collate "C" not null,
  timestamp timestamptz not null,
  recorded_at timestamptz not null,
  status_rank smallint not null,
  action text not null,
  kind text not null,
  resource_type text not null,
  resource_id text,
  resource_name text,
  user_id uuid,
  user_name text,
  metadata text,
  ip text,
  run_status text,
  credits bigint not null,
  audio_ms bigint not null,
  characters bigint not null,
  lines bigint not null,
  corrected bigint not null
);
create table languages (
  workspace_id uuid not null,
  id text collate "C" not null,
  timestamp timestamptz not null,
  locale text collate "C",
  credits bigint not null,
  characters bigint not null,
  lines bigint not null,
  corrected bigint not null
);
