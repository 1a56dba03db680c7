-- one row per (workspace, user); if a pair is repeated, the last line of the file
create view members as
with file as (
  from read_text(data_pattern() || '/directory/members.jsonl')
),
lines as (
  select line::json as json, number
  from file, unnest(string_split(ltrim(content, chr(65279)), chr(10))) with ordinality as split(line, number)
  where trim(line, ' ' || chr(9) || chr(13)) <> ''
)
select
  lower(json->>'workspace_id') as workspace_id,
  lower(json->>'user_id') as user_id,
  json->>'name' as name,
  json->>'role' as role,
  json->>'status' as status
from lines
qualify row_number() over (partition by workspace_id, user_id order by number desc) = 1;
