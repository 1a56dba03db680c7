-- one row per (event, locale), and one without locale where credits go to none; of one workspace, or with `*` of all
create macro internal.languages_rows(workspaces) as table
with counted as (
  select
    *,
    credits::hugeint as all_credits,
    coalesce(list_sum(list_transform(languages, lambda l: l.characters::hugeint)), 0) as all_characters
  from internal.events_rows(workspaces)
),
-- Without characters everything is untagged: such an event has a row for that, also where no language was so.
tagged as (
  select
    * replace (
      if(
        all_characters > 0 or len(list_filter(languages, lambda l: l.locale is null)) > 0,
        languages,
        list_append(languages, {'locale': null, 'characters': 0, 'lines': 0, 'corrected': 0})
      ) as languages
    )
  from counted
),
-- Largest remainder: whole shares first, what is left goes one by one to the largest remainders, ties to the locale that
-- sorts first, untagged last.
divided as (
  select
    *,
    list_transform(languages, lambda l: all_credits * l.characters // greatest(all_characters, 1)) as whole,
    list_transform(languages, lambda l: {
      'rest': -(all_credits * l.characters % greatest(all_characters, 1)),
      'untagged': l.locale is null,
      'locale': coalesce(l.locale, '')
    }) as turn
  from tagged
),
given as (
  select *, list_sort(turn)[(all_credits - list_sum(whole))::bigint] as last
  from divided
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
        when all_characters > 0 then (whole[i] + if(turn[i] <= last, 1, 0))::bigint
        when l.locale is null then credits
        else 0
      end,
      'characters': l.characters,
      'lines': l.lines,
      'corrected': l.corrected
    }),
    recursive := true
  )
from given;
