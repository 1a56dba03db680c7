-- one row per line; JSON never contains these two control characters unescaped
copy staging from stdin (format csv, delimiter e'\x01', quote e'\x02')
