-- one row per (workspace, user); if a pair is repeated, the last line of the file
create view members as
with lines as (
  select
    number,
    internal.member(json, 'workspace_id') as workspace_id,
    internal.member(json, 'user_id') as user_id,
    internal.member(json, 'name') as name,
    internal.member(json, 'role') as role,
    internal.member(json, 'status') as status
  from internal.directory_lines('members.jsonl')
),
faults as (
  select
    *,
    case
      when not internal.is_uuid(workspace_id) then 'workspace_id is not a UUID'
      when not internal.is_uuid(user_id) then 'user_id is not a UUID'
      when coalesce(json_type(name), 'NULL') <> 'VARCHAR' then 'name is not a text'
      when not internal.is_one_of(role, ['admin', 'editor', 'viewer']) then 'role is not admin, editor or viewer'
      when not internal.is_one_of(status, ['active', 'removed']) then 'status is not active or removed'
    end as fault
  from lines
)
select
  lower(workspace_id->>'$') as workspace_id,
  lower(user_id->>'$') as user_id,
  name->>'$' as name,
  role->>'$' as role,
  status->>'$' as status
from faults
where case when fault is null then true else error('directory/members.jsonl, line ' || number || ': ' || fault) end
qualify row_number() over (partition by lower(workspace_id->>'$'), lower(user_id->>'$') order by number desc) = 1;
