-- one row per (workspace, month, quarter, locale), as it follows from the events
-- only for the months ($workspaces[i], $months[i]) and the days from $first to $last
with events as (
  select
    workspace_id,
    make_timestamp(epoch_us(timestamp) // 900000000 * 900000000) as quarter,
    credits::hugeint as credits,
    if(run_status is null or run_status not in ('pending', 'running', 'paused'), audio_ms, 0) as audio_ms,
    if(action = 'workflow_run', run_status, null) as status,
    languages,
    nullif(list_sum(list_transform(languages, lambda l: l.characters::hugeint)), 0) as characters -- null instead of 0
  from distinct_events
  where timestamp::date between $first and $last
),
-- One row per event. A language's exact share is `whole` credits and a remainder, in units of 1 / `characters`.
-- `turn` orders the languages: the largest remainder first, then by locale, untagged last.
event_shares as (
  select
    *,
    list_transform(languages, lambda l: credits * l.characters // characters) as whole,
    list_transform(languages, lambda l: {
      'remainder': -(credits * l.characters % characters),
      'untagged': l.locale is null,
      'locale': coalesce(l.locale, '')
    }) as turn
  from events
),
-- One row per event. In the order of `turn`, each language gets one more credit until none are left; `last` is the last
-- one to get a credit.
event_turns as (
  select *, list_sort(turn)[(credits - list_sum(whole))::bigint] as last
  from event_shares
),
-- One row per (event, language), and one per event with locale null: its untagged credits, audio and run.
allocations as (
  select
    workspace_id,
    quarter,
    unnest(
      list_transform(languages, lambda l, i: {
        'locale': l.locale,
        'credits': if(characters > 0, whole[i] + if(turn[i] <= last, 1, 0), 0),
        'characters': l.characters,
        'lines': l.lines,
        'corrected': l.corrected
      }),
      recursive := true
    )
  from event_turns
  union all by name
  select workspace_id, quarter, null as locale, if(characters > 0, 0, credits) as credits, audio_ms, status
  from events
),
cube_rows as (
  select
    workspace_id,
    strftime(quarter, '%Y-%m') as month,
    quarter,
    locale,
    sum(credits) as credits,
    coalesce(sum(characters), 0) as characters,
    coalesce(sum(lines), 0) as lines,
    coalesce(sum(corrected), 0) as corrected,
    coalesce(sum(audio_ms), 0) as audio_ms,
    count_if(status = 'pending') as runs_pending,
    count_if(status = 'running') as runs_running,
    count_if(status = 'paused') as runs_paused,
    count_if(status = 'completed') as runs_completed,
    count_if(status = 'failed') as runs_failed,
    count_if(status = 'cancelled') as runs_cancelled,
    count(status) as runs
  from allocations
  group by workspace_id, quarter, locale
)
select * exclude (runs)
from cube_rows
where
  credits + characters + lines + corrected + audio_ms + runs > 0
  and (workspace_id, month) in (select (unnest($workspaces::varchar[]), unnest($months::varchar[])))
