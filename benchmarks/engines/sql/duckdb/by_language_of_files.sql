-- one row per locale, null for untagged: its usage in a window, with credits allocated by largest remainder
with events as (
  select
    row_number() over () as event,
    credits,
    languages,
    coalesce(list_sum(list_transform(languages, lambda l: l.characters)), 0)::bigint as event_characters
  from read_parquet($files, hive_partitioning = false)
  where timestamp >= make_timestamp($since) and timestamp < make_timestamp($until)
),
shares as (
  select
    *,
    coalesce(credits::hugeint * characters // nullif(event_characters, 0), 0) as share,
    coalesce(credits::hugeint * characters % nullif(event_characters, 0), 0) as remainder
  from (select event, credits, event_characters, unnest(languages, recursive := true) from events)
),
ranked as (
  select
    *,
    sum(share) over (partition by event) as shared,
    row_number() over (partition by event order by remainder desc, locale nulls last) as rank
  from shares
),
locale_rows as (
  select
    locale,
    share + case when event_characters > 0 and rank <= credits - shared then 1 else 0 end as credits,
    characters,
    lines,
    corrected
  from ranked
  union all by name
  select null as locale, credits, 0 as characters, 0 as lines, 0 as corrected
  from events
  where event_characters = 0
)
select locale, sum(credits), sum(characters), sum(lines), sum(corrected)
from locale_rows
group by locale
