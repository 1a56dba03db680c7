-- one row per user; if a user is repeated, the last line of the file
create view accounts as
with lines as (
  select
    number,
    internal.member(json, 'user_id') as user_id,
    nullif(internal.member(json, 'subject'), 'null') as subject,
    nullif(internal.member(json, 'quota'), 'null') as quota,
    nullif(internal.member(json, 'period_anchor'), 'null') as period_anchor,
    nullif(internal.member(json, 'credits_renewal'), 'null') as credits_renewal
  from internal.directory_lines('accounts.jsonl')
),
valued as (
  select
    *,
    case
      when json_type(period_anchor) = 'VARCHAR'
        and regexp_full_match(
          period_anchor->>'$',
          '\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)'
        )
        then try(make_timestamp(epoch_us(upper(period_anchor->>'$')::timestamptz)))
    end as anchor
  from lines
),
faults as (
  select
    *,
    case
      when not internal.is_uuid(user_id) then 'user_id is not a UUID'
      when json_type(subject) <> 'VARCHAR' then 'subject is neither a text nor null'
      when json_type(quota) <> 'UBIGINT' or try_cast(quota->>'$' as bigint) is null and quota is not null
        then 'quota is neither a whole number from 0 to 2^63 - 1 nor null'
      when period_anchor is not null
        and coalesce(anchor not between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999999', true)
        then 'period_anchor is neither an RFC 3339 date-time of the years 1 to 9999 nor null'
      when coalesce(credits_renewal, '"monthly"') not in ('"monthly"', '"one_time"')
        then 'credits_renewal is neither monthly nor one_time nor null'
    end as fault
  from valued
)
select
  lower(user_id->>'$') as user_id,
  subject->>'$' as subject,
  (quota->>'$')::bigint as quota,
  anchor as period_anchor,
  coalesce(credits_renewal->>'$', 'monthly') as credits_renewal
from faults
where case when fault is null then true else error('directory/accounts.jsonl, line ' || number || ': ' || fault) end
qualify row_number() over (partition by lower(user_id->>'$') order by number desc) = 1;
