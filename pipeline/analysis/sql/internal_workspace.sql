-- the id of a workspace as the folders have it; anything but a UUID is an error
create macro internal.workspace(id) as (id::uuid)::varchar;
