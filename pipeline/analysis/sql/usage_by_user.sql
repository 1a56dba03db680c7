-- one row per user from one local day to another, both included, most credits first: the `most` with most credits, then
-- all others in one row (`part` is `others`), and the events without a user in one (`no user`)
create macro usage_by_user(workspace, zone, from_date, to_date, most := 100) as table
with used as ( -- one row per user
  select
    user_id,
    arg_max(user_name, {'timestamp': timestamp, 'id': id}) as user_name,
    count(*) as events,
    sum(credits)::bigint as credits,
    sum(characters)::bigint as characters,
    sum(lines)::bigint as lines,
    sum(runs)::bigint as runs,
    sum(corrected)::bigint as corrected,
    sum(audio_ms)::bigint as audio_ms
  from internal.event_amounts(workspace, zone, from_date, to_date)
  group by user_id
),
ranked as ( -- likewise
  select
    *,
    row_number() over (partition by user_id is null order by credits desc, events desc, user_id) as rank
  from used
),
named as ( -- likewise
  select
    * exclude (rank),
    case
      when not coalesce(most >= 0, false) then error('most must be 0 or more')
      when user_id is null then 'no user'
      when rank <= most then 'user'
      else 'others'
    end as part
  from ranked
)
select
  part,
  if(part = 'user', user_id, null) as user_id,
  if(part = 'user', any_value(user_name), null) as user_name,
  sum(events)::bigint as events,
  sum(credits)::bigint as credits,
  sum(characters)::bigint as characters,
  sum(lines)::bigint as lines,
  sum(runs)::bigint as runs,
  sum(corrected)::bigint as corrected,
  sum(audio_ms)::bigint as audio_ms
from named
group by 1, 2
order by list_position(['user', 'others', 'no user'], part), credits desc, events desc, user_id;
