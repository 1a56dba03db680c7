-- one row per local day: the last `days` days including today, oldest first
create macro local_days(zone, days) as table
with today as materialized (select local_today(zone) as day)
select known.day, known.starts, known.ends
from today
join calendar as known
  on known.day between today.day - (if(days between 1 and 3660, days, error('days must be 1 to 3660')) - 1)::integer
    and today.day
where known.time_zone = zone
order by known.day;
