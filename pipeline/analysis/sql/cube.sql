-- one row per (workspace, quarter-hour, locale); runs and audio are on the rows without a locale
create view cube as
from internal.cube_rows('*');
