-- one value: the local day that contains `instant()`. A day that a zone skips has no length and starts with the next;
-- of days that start together the last counts
create macro local_today(zone) as (
  select coalesce(max(known.day), error('unknown time zone: ' || zone))
  from calendar as known
  where known.time_zone = zone and known.starts <= instant()
);
