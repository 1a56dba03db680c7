-- one row per delivered version that does not stand; most ids are delivered once and are not ranked at all
with ranked as (
  select
    position,
    workspace_id,
    day,
    id,
    rank() over (
      partition by workspace_id, day, id
      order by
        recorded_at desc,
        coalesce(list_position(['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'], run_status), 0) desc,
        credits desc
    ) as rank
  from deliveries
  semi join repeated using (position)
),
tied as (
  select workspace_id, day, id
  from ranked
  where rank = 1
  group by workspace_id, day, id
  having count(*) > 1
),
-- Only those are written out that nothing else tells apart.
written as (
  select
    position,
    workspace_id,
    timestamp::date as day,
    id,
    source,
    -- canonical JSON: keys sorted, nulls written, instants as integers
    to_json({
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
    })::varchar as json
  from delivered
  where position in (select position from ranked semi join tied using (workspace_id, day, id) where rank = 1)
),
settled as (
  select
    position,
    row_number() over (
      partition by workspace_id, day, id
      order by json desc, source -- of identical ones what is stored stays, else the first that was read
    ) as rank
  from written
)
select position from ranked where rank > 1
union all
select position from settled where rank > 1
