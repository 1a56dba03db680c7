-- one value: a member of a JSON object, of a repeated name the last one; null where there is none
create macro internal.member(object, name) as
  (object->'$.*')[len(json_keys(object)) + 1 - nullif(list_position(list_reverse(json_keys(object)), name), 0)];
