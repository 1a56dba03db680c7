-- empties one row per staged line, and drops the tables that were made from them
truncate staging;
drop table if exists versions, fresh, uses, touched
