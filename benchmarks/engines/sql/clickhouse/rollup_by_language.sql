-- one row per locale, null for untagged: its usage in a window
select nullIf(locale, '') as tag, sum(credits), sum(characters), sum(lines), sum(corrected)
from rollup final
where
  workspace_id = {workspace_id:UUID}
  and start >= fromUnixTimestamp64Micro({since:Int64})
  and start < fromUnixTimestamp64Micro({until:Int64})
group by tag
