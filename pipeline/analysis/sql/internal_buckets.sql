-- one row per bucket of an activity view, oldest first: its label, first local day, start and end
create macro internal.buckets(zone, activity_view) as table
with today as materialized (select local_today(zone) as day),
steps as (
  select
    day,
    unnest(range(if(activity_view = 'daily', 7, 12)))::integer as step
  from today
),
bounds as (
  select
    step,
    case activity_view
      when 'daily' then day + step - 6
      when 'weekly' then date_trunc('week', day)::date + 7 * (step - 11)
      when 'monthly' then (date_trunc('month', day) + to_months(step - 11))::date
      else error('activity_view must be daily, weekly or monthly, not ' || activity_view)
    end as first_day,
    case activity_view
      when 'daily' then day + step - 5
      when 'weekly' then date_trunc('week', day)::date + 7 * (step - 10)
      else (date_trunc('month', day) + to_months(step - 10))::date
    end as next_day
  from steps
)
select
  case activity_view
    when 'daily' then strftime(first_day, '%a')
    when 'weekly' then 'Week ' || (step + 1)
    else strftime(first_day, '%b')
  end as label,
  first_day,
  opens.starts as starts,
  closes.starts as ends
from bounds
join calendar as opens on opens.time_zone = zone and opens.day = first_day
join calendar as closes on closes.time_zone = zone and closes.day = next_day
order by first_day;
