-- the local day that contains the instant; of several that do, because all but one have no length, the last
create macro local_today(zone) as (
  select coalesce(max(known.day), error('unknown time zone: ' || zone))
  from calendar as known
  where known.time_zone = zone and known.starts <= instant()
);
