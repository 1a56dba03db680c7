-- one row per source: how many of its lines gave a current version
select source, count(*) as lines
from current
where source >= 0
group by source
