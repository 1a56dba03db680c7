-- one value: a workspace's id as it is in folder names; anything but a UUID is an error
create macro internal.workspace(id) as (id::uuid)::varchar;
