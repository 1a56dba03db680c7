-- one value: the instant that decides what "today" is, which is the session variable `now` if set, else the clock
create macro instant() as coalesce(getvariable('now')::timestamp, make_timestamp(epoch_us(now())));
