-- one row per locale, null for untagged: its usage in a window
select nullIf(locale, '') as tag, sum(credits), sum(characters), sum(lines), sum(corrected)
from (
  select
    languages.locale as locale,
    languages.credits as credits,
    languages.characters as characters,
    languages.lines as lines,
    languages.corrected as corrected
  from events final
  array join languages
  where
    workspace_id = {workspace_id:UUID}
    and timestamp >= fromUnixTimestamp64Micro({since:Int64})
    and timestamp < fromUnixTimestamp64Micro({until:Int64})
)
group by tag
