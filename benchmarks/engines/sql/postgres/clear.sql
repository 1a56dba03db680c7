-- what was staged, after it was taken
truncate staging;
drop table if exists versions, fresh, uses, touched
