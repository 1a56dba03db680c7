-- one row per locale, null for untagged: its usage in a window
select locale, sum(credits), sum(characters), sum(lines), sum(corrected)
from languages
where workspace_id = %(workspace_id)s and timestamp >= %(since)s and timestamp < %(until)s
group by locale
