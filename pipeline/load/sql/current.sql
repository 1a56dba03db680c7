-- one row per event of the touched partitions: of its delivered versions the one that stands
select *
from versions
anti join superseded using (position)
