-- one row per (event, locale), and one per event with locale null: its untagged credits, audio and run; all additive
with events as (
  select
    position as event,
    workspace_id,
    time_bucket(interval 15 minutes, timestamp) as quarter,
    credits,
    case when run_status is null or run_status in ('completed', 'failed', 'cancelled') then audio_ms else 0 end as audio_ms,
    case when action = 'workflow_run' then run_status end as run_status,
    languages,
    case len(languages) -- most events have no more than one
      when 0 then 0
      when 1 then languages[1].characters
      else list_sum(list_transform(languages, lambda l: l.characters))::bigint
    end as characters
  from current
  semi join changed using (workspace_id, day)
),
-- A single language takes all credits.
singles as (
  select
    workspace_id,
    quarter,
    languages[1].locale as locale,
    case when characters > 0 then credits else 0 end as credits,
    languages[1].characters as characters,
    languages[1].lines as lines,
    languages[1].corrected as corrected
  from events
  where len(languages) = 1
),
tagged as (
  select event, workspace_id, quarter, credits, characters as event_characters, unnest(languages, recursive := true)
  from events
  where len(languages) > 1
),
-- Largest remainder: whole shares first, then one more credit for each of the largest remainders. Products of valid
-- numbers need more than 64 bits.
shares as (
  select
    *,
    coalesce(credits::hugeint * characters // nullif(event_characters, 0), 0)::bigint as share,
    coalesce(credits::hugeint * characters % nullif(event_characters, 0), 0) as remainder
  from tagged
),
ranked as (
  select
    *,
    sum(share) over (partition by event) as shared,
    row_number() over (partition by event order by remainder desc, locale nulls last) as rank
  from shares
)
select
  workspace_id,
  quarter,
  locale,
  share + case when event_characters > 0 and rank <= credits - shared then 1 else 0 end as credits,
  characters,
  lines,
  corrected,
  0 as audio_ms,
  null as run_status
from ranked
union all by name
select *, 0 as audio_ms, null as run_status
from singles
union all by name
select
  workspace_id,
  quarter,
  null as locale,
  case when characters = 0 then credits else 0 end as credits,
  0 as characters,
  0 as lines,
  0 as corrected,
  audio_ms,
  run_status
from events
where characters = 0 or audio_ms > 0 or run_status is not null
