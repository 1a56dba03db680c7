-- one row per (workspace, local day of one zone, locale)
create table zone_rollup as
select
  workspace_id,
  date_trunc('day', timestamp at time zone %(zone)s)::date as day,
  locale,
  sum(credits) as credits,
  sum(characters) as characters,
  sum(lines) as lines,
  sum(corrected) as corrected
from languages
group by 1, 2, 3
