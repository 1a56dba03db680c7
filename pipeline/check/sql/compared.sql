-- one row: the number of rows that are compared, by table
select (select count(*) from published_cube) as cube, (select count(*) from published_actors) as actors
