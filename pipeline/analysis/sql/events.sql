-- one row per event, as its standing version says
create view events as
from internal.events_rows('*');
