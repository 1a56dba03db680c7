-- one row per line: JSON has neither of these two characters outside of escapes
copy staging from stdin (format csv, delimiter e'\x01', quote e'\x02')
