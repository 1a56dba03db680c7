-- one row per event of a page, newest first, plus one if there is a next page
select
  id, epoch_us(timestamp), action, kind, resource_type, resource_id, resource_name, user_id, user_name, metadata, ip
from events
where
  workspace_id = $workspace_id
  and timestamp >= make_timestamp($since)
  and (timestamp, id) < (make_timestamp($after_timestamp), $after_id)
order by timestamp desc, id desc
limit $rows
