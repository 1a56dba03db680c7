-- one row per (new or changed event, locale), null for untagged: its characters and lines
create temp table uses as
select
  workspace_id,
  day,
  id,
  timestamp,
  credits,
  nullif(nullif(replace(lower(language->>'locale'), '_', '-'), ''), 'und') collate "C" as locale,
  sum(coalesce((language->>'characters')::bigint, 0))::bigint as characters,
  sum(coalesce((language->>'lines')::bigint, 0))::bigint as lines,
  sum(coalesce((language->>'corrected')::bigint, 0))::bigint as corrected
from fresh
cross join jsonb_array_elements(coalesce(nullif(record->'usage'->'languages', 'null'), '[]')) as language
group by 1, 2, 3, 4, 5, 6
