-- one row per step of a window, oldest first: its local day (of several the first), start and end, cut at the window
create macro internal.steps(zone, from_instant, to_instant, step, week_begins, day_begins) as table
with given as materialized ( -- one row
  select internal.utc(from_instant) as opens, internal.utc(to_instant) as closes
),
asked as materialized ( -- likewise
  select
    case
      when not exists (select 1 from internal.offsets where time_zone = zone)
        then error('unknown time zone: ' || coalesce(zone, 'null'))
      when coalesce(step, '') not in ('15 minutes', 'hour', 'day', 'week', 'month')
        then error('step must be 15 minutes, hour, day, week or month, not ' || coalesce(step, 'null'))
      when coalesce(epoch_us(given.opens) % 900000000, 1) <> 0
        then error('from_instant must be a quarter-hour of UTC, not ' || coalesce(given.opens::varchar, 'null'))
      when coalesce(epoch_us(given.closes) % 900000000, 1) <> 0
        then error('to_instant must be a quarter-hour of UTC, not ' || coalesce(given.closes::varchar, 'null'))
      when given.closes < given.opens then error('to_instant must not be before from_instant')
      when given.opens < timestamp '2010-01-01' or given.closes > timestamp '2038-01-01'
        then error('from_instant and to_instant must be of the years 2010 to 2037')
      when not coalesce(day_begins between 0 and 23, false) then error('day_begins must be 0 to 23')
      else given.opens
    end as opens,
    given.closes,
    coalesce(
      list_position(
        ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'],
        week_begins
      ),
      error('week_begins must be monday, tuesday, … or sunday, not ' || coalesce(week_begins, 'null'))
    ) as first_weekday,
    case step when '15 minutes' then interval 15 minutes when 'hour' then interval 1 hour end as part
  from given
),
days as ( -- one row per local day that may begin a step
  select unnest(generate_series((opens - interval 40 days)::date, (closes + interval 40 days)::date, interval 1 day))::date as day
  from asked
),
firsts as ( -- one row per local day that begins a step
  select day, day::timestamp + to_hours(day_begins::integer) as local_time
  from days, asked
  where case step when 'week' then isodow(day) = first_weekday when 'month' then day(day) = 1 else true end
),
starts as ( -- likewise
  select day, min(greatest(since, local_time - to_microseconds(ahead_us))) as starts
  from firsts
  join internal.offsets on time_zone = zone and until > local_time - to_microseconds(ahead_us)
  group by day
),
bounds as ( -- likewise
  select day, starts, lead(starts) over (order by day) as ends
  from starts
),
parts as ( -- one row per step, of hours and quarter-hours one per elapsed part of the local day
  select
    day,
    unnest(if(part is null, [bounds.starts], range(bounds.starts, bounds.ends, part))) as starts,
    ends as whole_ends,
    part
  from bounds, asked
  where bounds.ends >= opens and bounds.starts < closes
),
steps as ( -- likewise
  select day, starts, if(part is null, whole_ends, least(starts + part, whole_ends)) as ends
  from parts
)
select
  day,
  case
    when epoch_us(greatest(starts, opens)) % 900000000 <> 0
      then error(day || ' in ' || zone || ' begins at ' || starts || ', within a quarter-hour of UTC')
    else greatest(starts, opens)
  end as starts,
  least(ends, closes) as ends
from steps, asked
-- A day that the zone skipped has no length, and is in the window if its start is.
where opens < closes and starts < closes and (ends > opens or starts >= opens)
order by 2, 1;
