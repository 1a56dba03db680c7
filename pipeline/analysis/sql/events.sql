-- one row per event: its current version
create view events as
from internal.events_rows('*');
