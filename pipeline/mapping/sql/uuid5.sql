-- one value: the name-based UUID of RFC 9562, section 5.5: the same namespace and name always give the same UUID.
create macro uuid5(namespace, name) as (
  with hashed as (
    select sha1(unhex(replace(namespace::varchar, '-', '')) || encode(name::varchar)) as hex
  )
  select
    hex[1:8] || '-' || hex[9:12] || '-5' || hex[14:16] || '-'
    || substr('89ab', (instr('0123456789abcdef', hex[17]) - 1) % 4 + 1, 1) || hex[18:20] || '-' || hex[21:32]
  from hashed
)
