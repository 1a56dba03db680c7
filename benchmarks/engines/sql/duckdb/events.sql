-- one row per new or changed event with its total usage, ordered by workspace and time
select
  * exclude (languages),
  coalesce(list_sum(list_transform(languages, lambda l: coalesce(l.characters, 0))), 0)::bigint as characters,
  coalesce(list_sum(list_transform(languages, lambda l: coalesce(l.lines, 0))), 0)::bigint as lines,
  coalesce(list_sum(list_transform(languages, lambda l: coalesce(l.corrected, 0))), 0)::bigint as corrected
from fresh
order by workspace_id, timestamp, id
