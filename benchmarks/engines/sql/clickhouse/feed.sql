-- one row per event of a page, newest first, plus one if there is a next page
select
  id,
  toUnixTimestamp64Micro(timestamp),
  action,
  kind,
  resource_type,
  resource_id,
  resource_name,
  user_id,
  user_name,
  metadata,
  ip
from events final
where
  workspace_id = {workspace_id:UUID}
  and timestamp >= fromUnixTimestamp64Micro({since:Int64})
  and (timestamp, id) < (fromUnixTimestamp64Micro({after_timestamp:Int64}), {after_id:String})
order by timestamp desc, id desc
limit {rows:UInt32}
