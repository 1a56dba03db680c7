-- one row per (event, locale), with the credits that are the locale's
create view event_languages as
from internal.languages_rows('*');
