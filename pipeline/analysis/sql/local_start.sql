-- one value: the first instant whose local time is `hour` o'clock of a local day or later
create macro local_start(zone, day, hour := 0) as
  case
    when not coalesce(hour between 0 and 23, false) then error('hour must be 0 to 23')
    when not coalesce(day::date between date '2010-01-01' and date '2037-12-31', false)
      then error('day must be of the years 2010 to 2037')
    else coalesce(
      (
        select min(greatest(since, day::date::timestamp + to_hours(hour::integer) - to_microseconds(ahead_us)))
        from internal.offsets
        where time_zone = zone
          and until > day::date::timestamp + to_hours(hour::integer) - to_microseconds(ahead_us)
      ),
      error('unknown time zone: ' || coalesce(zone, 'null'))
    )
  end;
