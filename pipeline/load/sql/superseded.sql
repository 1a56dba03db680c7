-- one row per version that is not the current one of its event
with written as (
  select
    position,
    workspace_id,
    timestamp::date as day,
    id,
    source,
    -- canonical JSON: keys sorted, those of languages too, nulls written, instants as integers
    to_json({
      'action': action,
      'audio_ms': audio_ms,
      'credits': credits,
      'id': id,
      'ip': ip,
      'kind': kind,
      'languages': list_transform(
        languages,
        lambda language: {
          'characters': language.characters,
          'corrected': language.corrected,
          'lines': language.lines,
          'locale': language.locale
        }
      ),
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
  from tied
),
settled as (
  select
    position,
    row_number() over (
      partition by workspace_id, day, id
      order by json desc, source -- of identical versions the stored one wins, else that of the file listed first
    ) as rank
  from written
)
select position from ranked where rank > 1
union all
select position from settled where rank > 1
