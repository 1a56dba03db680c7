-- one value: whether a JSON value is one of some texts
create macro internal.is_one_of(value, texts) as
  coalesce(json_type(value) = 'VARCHAR' and list_contains(texts, value->>'$'), false);
