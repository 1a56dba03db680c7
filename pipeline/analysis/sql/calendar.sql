-- one row per (time zone, local day): its start and end in UTC
create view calendar as
with days as (
  select
    time_zone,
    unnest(generate_series(first_day, last_day, interval 1 day))::date as day,
    ahead_us
  from internal.spans
),
day_starts as (
  select time_zone, day, day::timestamp - to_microseconds(ahead_us) as starts
  from days
)
select time_zone, day, starts, lead(starts) over (partition by time_zone order by day) as ends
from day_starts
qualify ends is not null;
