-- the instant that decides what "today" is: the variable `now` of the session where it is set, else the clock's
create macro instant() as coalesce(getvariable('now')::timestamp, make_timestamp(epoch_us(now())));
