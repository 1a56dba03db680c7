-- one value: whether a JSON value is a text with a UUID
create macro internal.is_uuid(value) as coalesce(
  json_type(value) = 'VARCHAR'
  and regexp_full_match(value->>'$', '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}'),
  false
);
