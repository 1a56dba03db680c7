-- one row per (new or changed event, locale), null for untagged, with credits allocated by largest remainder
with totals as (
  select *, sum(characters) over (partition by workspace_id, day, id) as total from uses
),
shares as (
  select
    *,
    case when total > 0 then div(credits::numeric * characters, total) else 0 end as share,
    case when total > 0 then mod(credits::numeric * characters, total) else 0 end as remainder
  from totals
),
ranked as (
  select
    *,
    sum(share) over (partition by workspace_id, day, id) as shared,
    row_number() over (partition by workspace_id, day, id order by remainder desc, locale nulls last) as rank
  from shares
)
insert into languages
select
  workspace_id,
  id,
  timestamp,
  locale,
  share + case when total > 0 and rank <= credits - shared then 1 else 0 end,
  characters,
  lines,
  corrected
from ranked
union all
-- an event without characters is untagged as a whole
select workspace_id, id, timestamp, null, credits, 0, 0, 0
from fresh
where credits > 0 and not exists (
  select from uses
  where
    uses.workspace_id = fresh.workspace_id
    and uses.day = fresh.day
    and uses.id = fresh.id
    and uses.characters > 0
)
order by 1, 3
