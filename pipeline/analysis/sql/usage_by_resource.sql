-- one row per resource from one local day to another, both included, most credits first: the `most` with most credits,
-- then all others in one row (`part` is `others`); without an id, the resources of a type are one
create macro usage_by_resource(workspace, zone, from_date, to_date, most := 100) as table
with used as ( -- one row per resource
  select
    resource_type,
    resource_id,
    arg_max(resource_name, {'timestamp': timestamp, 'id': id}) as resource_name,
    count(*) as events,
    sum(credits)::bigint as credits,
    sum(characters)::bigint as characters,
    sum(lines)::bigint as lines,
    sum(runs)::bigint as runs,
    sum(corrected)::bigint as corrected,
    sum(audio_ms)::bigint as audio_ms
  from internal.event_amounts(workspace, zone, from_date, to_date)
  group by resource_type, resource_id
),
ranked as ( -- likewise
  select
    *,
    row_number() over (order by credits desc, events desc, resource_type, resource_id nulls last) as rank
  from used
),
named as ( -- likewise
  select
    * exclude (rank),
    case
      when not coalesce(most >= 0, false) then error('most must be 0 or more')
      when rank <= most then rank
    end as place
  from ranked
)
select
  if(place is null, 'others', 'resource') as part,
  if(place is null, null, any_value(resource_type)) as resource_type,
  if(place is null, null, any_value(resource_id)) as resource_id,
  if(place is null, null, any_value(resource_name)) as resource_name,
  sum(events)::bigint as events,
  sum(credits)::bigint as credits,
  sum(characters)::bigint as characters,
  sum(lines)::bigint as lines,
  sum(runs)::bigint as runs,
  sum(corrected)::bigint as corrected,
  sum(audio_ms)::bigint as audio_ms
from named
group by place
order by place nulls last;
