-- one row per (workspace, user, action, UTC day)
create view actors as
from internal.actors_rows('*');
