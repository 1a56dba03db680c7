-- one entry per event or (event, locale): the key of versions, and indexes that cover the questions
alter table events add primary key (workspace_id, day, id);
create index on events (workspace_id, timestamp, id)
  include (credits, characters, lines, corrected, audio_ms, run_status);
create index on languages (workspace_id, timestamp) include (locale, credits, characters, lines, corrected);
