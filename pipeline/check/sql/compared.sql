-- one row: how many rows of either table were compared
select (select count(*) from published_cube) as cube, (select count(*) from published_actors) as actors
