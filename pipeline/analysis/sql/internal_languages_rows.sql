-- one row per (event, locale) of one workspace, or with `*` of all; credits that go to no locale have a row without one
create macro internal.languages_rows(workspaces) as table
with event_totals as ( -- one row per event
  select
    *,
    credits::hugeint as all_credits,
    coalesce(list_sum(list_transform(languages, lambda l: l.characters::hugeint)), 0) as all_characters
  from internal.events_rows(workspaces)
),
-- An event without characters is untagged as a whole, so it needs an untagged language even if none was reported.
with_untagged as ( -- one row per event
  select
    * replace (
      if(
        all_characters > 0 or len(list_filter(languages, lambda l: l.locale is null)) > 0,
        languages,
        list_append(languages, {'locale': null, 'characters': 0, 'lines': 0, 'corrected': 0})
      ) as languages
    )
  from event_totals
),
-- Largest remainder: each language gets its whole share; the remaining credits go one each to the largest remainders.
-- Ties go to the locale that sorts first, and to untagged last.
shares as ( -- one row per event; `whole` and `priority` have one element per language
  select
    *,
    list_transform(languages, lambda l: all_credits * l.characters // greatest(all_characters, 1)) as whole,
    list_transform(languages, lambda l: {
      'remainder': -(all_credits * l.characters % greatest(all_characters, 1)),
      'untagged': l.locale is null,
      'locale': coalesce(l.locale, '')
    }) as priority
  from with_untagged
),
allocated as ( -- one row per event; languages up to `last_priority` get one more credit
  select *, list_sort(priority)[(all_credits - list_sum(whole))::bigint] as last_priority
  from shares
)
select
  workspace_id,
  day,
  id,
  timestamp,
  action,
  user_id,
  unnest(
    list_transform(languages, lambda l, i: {
      'locale': l.locale,
      'credits': case
        when all_characters > 0 then (whole[i] + if(priority[i] <= last_priority, 1, 0))::bigint
        when l.locale is null then credits
        else 0
      end,
      'characters': l.characters,
      'lines': l.lines,
      'corrected': l.corrected
    }),
    recursive := true
  )
from allocated;
