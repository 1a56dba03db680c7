-- one row per (new or changed event, locale), null for untagged, with credits allocated by largest remainder
with uses as (
  select
    workspace_id,
    day,
    id,
    timestamp,
    credits,
    nullif(nullif(replace(lower(language.locale), '_', '-'), ''), 'und') as locale,
    sum(coalesce(language.characters, 0)) as characters,
    sum(coalesce(language.lines, 0)) as lines,
    sum(coalesce(language.corrected, 0)) as corrected
  from (select * exclude (languages), unnest(languages) as language from fresh)
  group by all
),
totals as (
  select *, sum(characters) over (partition by workspace_id, day, id) as event_characters from uses
),
shares as (
  select
    *,
    coalesce(credits::hugeint * characters // nullif(event_characters, 0), 0) as share,
    coalesce(credits::hugeint * characters % nullif(event_characters, 0), 0) as remainder
  from totals
),
ranked as (
  select
    *,
    sum(share) over (partition by workspace_id, day, id) as shared,
    row_number() over (partition by workspace_id, day, id order by remainder desc, locale nulls last) as rank
  from shares
),
locale_rows as (
  select
    workspace_id,
    day,
    id,
    timestamp,
    locale,
    (share + case when event_characters > 0 and rank <= credits - shared then 1 else 0 end)::bigint as credits,
    characters::bigint as characters,
    lines::bigint as lines,
    corrected::bigint as corrected
  from ranked
  union all by name
  -- an event without characters is untagged as a whole
  select workspace_id, day, id, timestamp, null as locale, credits, 0 as characters, 0 as lines, 0 as corrected
  from fresh
  where credits > 0 and coalesce(list_sum(list_transform(languages, lambda l: coalesce(l.characters, 0))), 0) = 0
)
from locale_rows
order by workspace_id, timestamp
