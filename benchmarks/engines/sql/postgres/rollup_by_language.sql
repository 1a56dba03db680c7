-- one row per locale, null for untagged: its usage in a window
select locale, sum(credits), sum(characters), sum(lines), sum(corrected)
from rollup
where workspace_id = %(workspace_id)s and start >= %(since)s and start < %(until)s
group by locale
