-- one value: whether there may be no file to read: not one of a list may be missing
create macro internal.may_be_none(listed, workspaces) as
  listed is null or len(internal.files(listed, null, workspaces)) = 0;
