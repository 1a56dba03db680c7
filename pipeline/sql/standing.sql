-- one row per event of the touched partitions: of its delivered versions the one that stands
with deliveries as (
  select *, count(*) over (partition by workspace_id, day, id) as versions
  from (select * from stored union all by name select * from incoming)
)
select * exclude (versions)
from deliveries
qualify row_number() over (
  partition by workspace_id, day, id
  order by
    recorded_at desc,
    coalesce(list_position(['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'], run_status), 0) desc,
    credits desc,
    -- the canonical JSON: keys sorted, nulls written, instants as integers; costly, hence only where it may matter
    case when versions > 1 then to_json({
      'action': action,
      'audio_ms': audio_ms,
      'credits': credits,
      'id': id,
      'ip': ip,
      'kind': kind,
      'languages': languages,
      'metadata': metadata,
      'recorded_at': epoch_us(recorded_at),
      'resource_id': resource_id,
      'resource_name': resource_name,
      'resource_type': resource_type,
      'run_id': run_id,
      'run_status': run_status,
      'timestamp': epoch_us(timestamp),
      'user_id': user_id,
      'user_name': user_name
    })::varchar end desc,
    source -- of identical ones what is stored stays, else the first that was read
) = 1
