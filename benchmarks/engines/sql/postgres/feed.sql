-- one row per event of a page, newest first, plus one if there is a next page
select
  id,
  (extract(epoch from timestamp) * 1000000)::bigint,
  action,
  kind,
  resource_type,
  resource_id,
  resource_name,
  user_id::text,
  user_name,
  metadata,
  ip
from events
where
  workspace_id = %(workspace_id)s
  and timestamp >= %(since)s
  and (timestamp, id) < (%(after_timestamp)s, %(after_id)s)
order by timestamp desc, id desc
limit %(rows)s
