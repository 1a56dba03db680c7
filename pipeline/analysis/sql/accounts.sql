-- one row per user; if a user is repeated, the last line of the file
create view accounts as
with file as (
  from read_text(data_pattern() || '/directory/accounts.jsonl')
),
lines as (
  select line::json as json, number
  from file, unnest(string_split(ltrim(content, chr(65279)), chr(10))) with ordinality as split(line, number)
  where trim(line, ' ' || chr(9) || chr(13)) <> ''
)
select
  lower(json->>'user_id') as user_id,
  json->>'subject' as subject,
  (json->>'quota')::bigint as quota,
  make_timestamp(epoch_us((json->>'period_anchor')::timestamptz)) as period_anchor
from lines
qualify row_number() over (partition by user_id order by number desc) = 1;
