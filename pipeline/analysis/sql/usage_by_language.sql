-- one row per locale used from one local day to another, both included, most credits first, untagged usage last
create macro usage_by_language(workspace, zone, from_date, to_date) as table
with period as materialized (
  select coalesce(min(known.starts), error('no days of a known time zone, or the first day is after the last')) as starts, max(known.ends) as ends
  from calendar as known
  where known.time_zone = zone and known.day between from_date and to_date
),
used as (
  select
    cube.locale,
    sum(cube.credits)::bigint as credits,
    sum(cube.characters)::bigint as characters,
    sum(cube.corrected)::bigint as corrected,
    sum(cube.lines)::bigint as lines
  from period
  join workspace_cube(workspace) as cube on cube.quarter >= period.starts and cube.quarter < period.ends
  group by cube.locale
),
with_totals as (
  select *, sum(credits) over () as all_credits, sum(characters) over () as all_characters
  from used
)
select
  locale,
  if(all_credits > 0, internal.share(credits, all_credits), internal.share(characters, all_characters)) as share,
  credits,
  characters,
  corrected,
  lines
from with_totals
where credits + characters + corrected + lines > 0
order by locale is null, credits desc, locale;
