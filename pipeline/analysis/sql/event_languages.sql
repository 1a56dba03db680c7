-- one row per (event, locale): the locale's share of the credits, and its characters and lines
create view event_languages as
from internal.languages_rows('*');
