-- one value: an instant as a timestamp of UTC. A cast alone makes local time of the client of a timestamp with time zone,
-- and passes over the offset in a text
create macro internal.utc(moment) as
  if(
    regexp_matches(moment::varchar, ':[0-9.]+ ?[+-]'),
    make_timestamp(epoch_us(moment::varchar::timestamptz)),
    moment::timestamp
  );
