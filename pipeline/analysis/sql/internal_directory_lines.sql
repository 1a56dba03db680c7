-- one row per line of a directory file that is not blank: its number, and it as JSON. A file that the service would
-- refuse is an error. The text is split once, and each line copied once, whatever their number
create macro internal.directory_lines(file) as table
with content as (
  select string_split(if(starts_with(content, chr(65279)), content[2:], content), chr(10)) as lines
  from read_text(data_pattern() || '/directory/' || file)
),
numbered as (
  select unnest(lines) as line, generate_subscripts(lines, 1) as number
  from content
),
written as (
  select number, line
  from numbered
  where trim(line, ' ' || chr(9) || chr(11) || chr(12) || chr(13)) <> ''
)
select
  number,
  case
    -- what DuckDB takes for JSON beyond the standard, outside of texts
    when not json_valid(line)
      or regexp_matches(regexp_replace(line, '"([^"\\]|\\.)*"', '', 'g'), '(?i),\s*[\]}]|nan|inf')
      then error('directory/' || file || ', line ' || number || ': not JSON')
    when json_type(line) <> 'OBJECT'
      then error('directory/' || file || ', line ' || number || ': not a JSON object')
    else line::json
  end as json
from written;
