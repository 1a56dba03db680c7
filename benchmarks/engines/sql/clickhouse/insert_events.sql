-- one row per line of the files, with each locale's share of the credits by largest remainder; '' is untagged
insert into events
with
  arrayMap(l -> replaceAll(lower(ifNull(l.locale, '')), '_', '-'), usage.languages) as tags,
  arrayMap(tag -> if(tag = 'und', '', tag), tags) as said,
  arrayDistinct(said) as locales,
  arrayMap(x -> arraySum((tag, l) -> if(tag = x, l.characters, 0), said, usage.languages), locales) as characters_by,
  arrayMap(x -> arraySum((tag, l) -> if(tag = x, l.lines, 0), said, usage.languages), locales) as lines_by,
  arrayMap(x -> arraySum((tag, l) -> if(tag = x, l.corrected, 0), said, usage.languages), locales) as corrected_by,
  arraySum(characters_by) as total,
  greatest(total, 1) as divisor,
  arrayMap(c -> intDiv(toInt128(usage.credits) * c, divisor), characters_by) as shares,
  arrayMap((c, x) -> (-(toInt128(usage.credits) * c % divisor), x = '', x), characters_by, locales) as order_by,
  arraySort(order_by) as ordered,
  usage.credits - arraySum(shares) as left,
  arrayMap((s, o) -> toInt64(s + (total > 0 and indexOf(ordered, o) <= left)), shares, order_by) as credits_by,
  -- without characters there is nothing to share by: all of it is untagged
  if(total = 0 and usage.credits > 0, 1, 0) as unshared
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
  arrayResize(locales, length(locales) + unshared, ''),
  arrayResize(credits_by, length(locales) + unshared, usage.credits),
  arrayResize(characters_by, length(locales) + unshared, 0),
  arrayResize(lines_by, length(locales) + unshared, 0),
  arrayResize(corrected_by, length(locales) + unshared, 0)
from file({files:String}, JSONEachRow, '
  id String, workspace_id UUID, timestamp String, recorded_at Nullable(String), action String, kind String,
  resource Tuple(type String, id Nullable(String), name Nullable(String)),
  user Tuple(id Nullable(UUID), name Nullable(String)), metadata Nullable(String), ip Nullable(String),
  run Tuple(id Nullable(String), status String),
  usage Tuple(credits Int64, audio_ms Int64,
              languages Array(Tuple(locale Nullable(String), characters Int64, lines Int64, corrected Int64)))
')
