-- one value: the files to read: those of a list, which has one on each line, of one workspace or with `*` of all; or,
-- where there is no list, the pattern that finds them
create macro internal.files(listed, pattern, workspaces) as
  if(
    listed is null,
    [pattern],
    list_filter(
      string_split(listed, chr(10)),
      lambda file: file <> '' and (workspaces = '*' or contains(file, '/workspace_id=' || workspaces || '/'))
    )
  );
