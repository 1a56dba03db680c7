-- one row per (workspace, quarter-hour, locale) of the touched days; rows that no longer have usage become zeros. A
-- materialised view would not do: it counts every inserted version of an event
insert into rollup
select
  workspace_id,
  start,
  locale,
  toUnixTimestamp64Micro(now64(6)),
  sum(credits),
  sum(characters),
  sum(lines),
  sum(corrected),
  sum(audio_ms),
  countIf(run_status = 'pending'),
  countIf(run_status = 'running'),
  countIf(run_status = 'paused'),
  countIf(run_status = 'completed'),
  countIf(run_status = 'failed'),
  countIf(run_status = 'cancelled')
from (
  select
    workspace_id,
    toStartOfInterval(timestamp, interval 15 minute) as start,
    languages.locale as locale,
    languages.credits as credits,
    languages.characters as characters,
    languages.lines as lines,
    languages.corrected as corrected,
    0 as audio_ms,
    '' as run_status
  from events final
  array join languages
  where (workspace_id, toDate(timestamp)) in touched
  union all
  select workspace_id, toStartOfInterval(timestamp, interval 15 minute), '', 0, 0, 0, 0, audio_ms, run_status
  from events final
  where (workspace_id, toDate(timestamp)) in touched and (audio_ms > 0 or run_status != '')
  union all
  select workspace_id, start, locale, 0, 0, 0, 0, 0, '' from rollup where (workspace_id, toDate(start)) in touched
)
group by workspace_id, start, locale
