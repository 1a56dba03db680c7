-- one row per local day, by the engine's own zone data: credits, characters, lines, runs
select toDate(timestamp, {zone:String}) as day, sum(credits), sum(characters), sum(lines), countIf(run_status != '')
from events final
where
  workspace_id = {workspace_id:UUID}
  and timestamp >= fromUnixTimestamp64Micro({since:Int64})
  and timestamp < fromUnixTimestamp64Micro({until:Int64})
group by 1
