-- one row per line of the files, with credits allocated to locales by largest remainder; '' is untagged
insert into events
with
  arrayMap(l -> replaceAll(lower(ifNull(l.locale, '')), '_', '-'), usage.languages) as tags,
  arrayMap(tag -> if(tag = 'und', '', tag), tags) as listed,
  arrayDistinct(listed) as locales,
  arrayMap(x -> arraySum((tag, l) -> if(tag = x, l.characters, 0), listed, usage.languages), locales) as characters_by,
  arrayMap(x -> arraySum((tag, l) -> if(tag = x, l.lines, 0), listed, usage.languages), locales) as lines_by,
  arrayMap(x -> arraySum((tag, l) -> if(tag = x, l.corrected, 0), listed, usage.languages), locales) as corrected_by,
  arraySum(characters_by) as total,
  greatest(total, 1) as divisor,
  arrayMap(c -> intDiv(toInt128(usage.credits) * c, divisor), characters_by) as shares,
  arrayMap((c, x) -> (-(toInt128(usage.credits) * c % divisor), x = '', x), characters_by, locales) as priority,
  arraySort(priority) as priorities,
  usage.credits - arraySum(shares) as remaining,
  arrayMap((s, o) -> toInt64(s + (total > 0 and indexOf(priorities, o) <= remaining)), shares, priority) as credits_by,
  -- an event without characters is untagged as a whole
  if(total = 0 and usage.credits > 0, 1, 0) as untagged
select
  workspace_id,
  parseDateTime64BestEffort(timestamp, 6, 'UTC') as moment,
  id,
  toUnixTimestamp64Micro(parseDateTime64BestEffort(ifNull(recorded_at, timestamp), 6, 'UTC')) * 8
    + indexOf(['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'], run.status) as version,
  action,
  kind,
  resource.type,
  resource.id,
  resource.name,
  user.id,
  user.name,
  metadata,
  ip,
  if(action = 'workflow_run', run.status, '') as run_status,
  usage.credits,
  if(run.status in ('', 'completed', 'failed', 'cancelled'), usage.audio_ms, 0) as audio_ms,
  total,
  arraySum(lines_by),
  arraySum(corrected_by),
  arrayResize(locales, length(locales) + untagged, ''),
  arrayResize(credits_by, length(locales) + untagged, usage.credits),
  arrayResize(characters_by, length(locales) + untagged, 0),
  arrayResize(lines_by, length(locales) + untagged, 0),
  arrayResize(corrected_by, length(locales) + untagged, 0)
from file({files:String}, JSONEachRow, '
  id String, workspace_id UUID, timestamp String, recorded_at Nullable(String), action String, kind String,
  resource Tuple(type String, id Nullable(String), name Nullable(String)),
  user Tuple(id Nullable(UUID), name Nullable(String)), metadata Nullable(String), ip Nullable(String),
  run Tuple(id Nullable(String), status String),
  usage Tuple(credits Int64, audio_ms Int64,
              languages Array(Tuple(locale Nullable(String), characters Int64, lines Int64, corrected Int64)))
')
