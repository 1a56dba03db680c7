"""The mutants: what is changed in which statement, and what that breaks."""

from typing import Final, NamedTuple


class Mutant(NamedTuple):
    """A change of one statement of `pipeline/load/sql`."""

    statement: str
    old: str  # occurs once
    new: str
    breaks: str  # or, of one that changes nothing, why


MUTANTS: Final = [
    Mutant("versions", "timestamp::date as day", "recorded_at::date as day", "the day is that of the record"),
    # Which version is current
    Mutant("ranked", "workspace_id, day, id\n", "workspace_id, id\n", "one event a month has an id"),
    Mutant("ranked", "workspace_id, day, id\n", "day, id\n", "workspaces share their ids"),
    Mutant("ranked", "workspace_id, day, id\n", "workspace_id, day\n", "one event a day is kept"),
    Mutant("ranked", "recorded_at desc", "recorded_at", "the oldest version is kept"),
    Mutant("ranked", "      recorded_at desc,\n", "", "the time of a version does not matter"),
    Mutant("ranked", "'paused', 'completed'", "'completed', 'paused'", "a paused run has ended"),
    Mutant("ranked", "'failed', 'cancelled']", "'cancelled', 'failed']", "a cancelled run fails"),
    Mutant("ranked", "coalesce(list_position(", "(list_position(", "no status is the latest one"),
    Mutant("ranked", "0) desc", "7) desc", "no status is the latest one"),
    Mutant("ranked", "0) desc", "1) desc", "no status is as good as pending"),
    Mutant("ranked", "0) desc", "0)", "a run goes back to pending"),
    Mutant("ranked", "credits desc", "credits", "the fewest credits are kept"),
    Mutant("ranked", ",\n      credits desc", "", "credits do not decide"),
    Mutant("ranked", "rank() over", "row_number() over", "the canonical JSON does not decide"),
    Mutant("tied", "count(*) > 1", "count(*) > 2", "a tie takes three"),
    Mutant("tied", "\nwhere rank = 1\n", "\nwhere rank >= 1\n", "an older version with greater JSON wins"),
    Mutant("superseded", "order by json desc", "order by json", "the smallest JSON is kept"),
    Mutant("superseded", "json desc, source --", "json desc, source desc --", "the last of identical lines counts"),
    Mutant("superseded", "by workspace_id, day, id\n", "by workspace_id, id\n", "ties of two days are one"),
    Mutant("superseded", "by workspace_id, day, id\n", "by day, id\n", "ties of two workspaces are one"),
    Mutant("superseded", "by workspace_id, day, id\n", "by workspace_id, day\n", "one tie a day is settled"),
    Mutant("superseded", "from ranked where rank > 1", "from ranked where rank > 2", "two versions are current"),
    Mutant("superseded", "from settled where rank > 1", "from settled where rank > 2", "a tie has two winners"),
    Mutant("superseded", "          'locale': language.locale\n", "          'locale': ''\n", "locales do not decide"),
    *(
        Mutant("superseded", f"          '{name}': language.{name},\n", "", f"{name} of languages do not decide")
        for name in ("characters", "corrected", "lines")
    ),
    Mutant(
        "superseded",
        "lambda language: {\n",
        "lambda language: {\n          'a': language.locale,\n",
        "the locale decides before the numbers",
    ),
    Mutant("superseded", "union all\nselect position from settled where rank > 1", "", "a tie is never settled"),
    *(
        Mutant("superseded", f"      '{name}': {name},\n", "", f"versions that differ in {name} tie")
        for name in ("action", "audio_ms", "ip", "kind", "metadata", "resource_id", "resource_name")
    ),
    *(
        Mutant("superseded", f"      '{name}': {name},\n", "", f"versions that differ in {name} tie")
        for name in ("resource_type", "run_id", "user_id")
    ),
    Mutant("superseded", ",\n      'user_name': user_name", "", "versions that differ in user_name tie"),
    Mutant("superseded", "'timestamp': epoch_us(timestamp)", "'timestamp': 0", "the later of two tied ones loses"),
    Mutant(
        "superseded", "'audio_ms': audio_ms", "'audio_ms': lpad(audio_ms::varchar, 20, ' ')", "numbers are compared"
    ),
    Mutant("superseded", "'ip': ip", "'ip': coalesce(ip, '')", "null is the smallest text"),
    Mutant("superseded", "'ip': ip,\n      'kind': kind", "'kind': kind,\n      'ip': ip", "the keys are not sorted"),
    Mutant("current", "anti join", "semi join", "the losers are kept"),
    # Which days change
    Mutant("changed", ">= 0", "> 0", "the first file changes nothing"),
    Mutant("changed", "max(source) >= 0 or $force", "true or $force", "what comes again rewrites its day"),
    Mutant("changed", "max(source)", "min(source)", "a day with stored events never changes"),
    Mutant("changed", "or $force", "or ($force and false)", "an erasure leaves the days with what is erased"),
    Mutant("changed_days", "from changed", "from changed where day > '2026-11-01'", "some days are not written"),
    Mutant("changed_days", "day::varchar", "strftime(day, '%Y-%m-1')", "days are written to other ones"),
    Mutant("events", "semi join changed using (workspace_id, day)\n", "", "days that did not change are written"),
    Mutant("events", "using (workspace_id, day)", "using (day)", "a day changes in all workspaces"),
    Mutant("events", "timestamp desc", "timestamp", "the oldest event comes first"),
    Mutant("events", "id desc", "id", "of one instant the first id comes first"),
    Mutant("accepted", "source >= 0", "source > 0", "lines of the first file are duplicates"),
    Mutant("accepted", "source >= 0", "true", "stored events count as lines"),
    Mutant("accepted", "from current", "from versions", "every line is accepted"),
    # How credits are shared out
    Mutant("allocated", "semi join changed using (workspace_id, day)\n", "", "days that did not change are added up"),
    Mutant("allocated", "interval 15 minutes", "interval 30 minutes", "days that begin at :15 and :45 are wrong"),
    Mutant("allocated", "run_status is null or run_status in", "run_status in", "audio without a run is lost"),
    Mutant("allocated", "'failed', 'cancelled')", "'failed')", "audio of cancelled runs is lost"),
    Mutant("allocated", "('completed', ", "('paused', 'completed', ", "audio of paused runs counts"),
    Mutant("allocated", "case when action = 'workflow_run' then run_status end", "run_status", "any event is a run"),
    Mutant("allocated", "lambda l: l.characters", "lambda l: l.lines", "credits go by lines"),
    Mutant("allocated", "when 1 then languages[1].characters", "when 1 then 1", "a language of nothing takes credits"),
    Mutant("allocated", "characters > 0 then credits", "characters >= 0 then credits", "untagged credits count twice"),
    Mutant("allocated", "where len(languages) = 1", "where len(languages) >= 1", "the first language takes all too"),
    Mutant("allocated", "where len(languages) > 1", "where len(languages) >= 1", "single languages count twice"),
    Mutant("allocated", "where len(languages) > 1", "where len(languages) > 2", "pairs of languages are lost"),
    Mutant("allocated", "languages[1].lines", "languages[1].corrected", "a single language's lines are lost"),
    Mutant("allocated", "credits::hugeint * characters //", "credits * characters //", "products overflow"),
    Mutant("allocated", "credits::hugeint * characters %", "credits * characters %", "the same for remainders"),
    Mutant("allocated", "characters // nullif", "(characters - 1) // nullif", "shares are too small"),
    Mutant("allocated", "// nullif(event_characters, 0)", "// event_characters", "a division by zero"),
    Mutant("allocated", "% nullif(event_characters, 0)", "% event_characters", "likewise"),
    Mutant("allocated", "sum(share) over (partition by event)", "sum(share) over ()", "the rest is that of all events"),
    Mutant("allocated", "over (partition by event order by", "over (order by", "one event gets the rest"),
    Mutant("allocated", "remainder desc", "remainder", "the smallest remainder gets the rest"),
    Mutant("allocated", "remainder desc, ", "", "the first locale gets the rest"),
    Mutant("allocated", "locale nulls last", "locale nulls first", "untagged wins a tie"),
    Mutant("allocated", "locale nulls last", "locale desc nulls last", "the last locale wins a tie"),
    Mutant("allocated", "rank <= credits - shared", "rank < credits - shared", "one credit of the rest is lost"),
    Mutant("allocated", "rank <= credits - shared", "false", "the rest is lost"),
    Mutant("allocated", "event_characters > 0 and ", "", "without characters each language gets a credit"),
    Mutant("allocated", "case when characters = 0 then credits else 0 end", "0", "untagged credits are lost"),
    Mutant("allocated", "case when characters = 0 then credits else 0 end", "credits", "credits count twice"),
    Mutant("allocated", "where characters = 0 or ", "where ", "untagged credits are lost, but those of runs"),
    Mutant("allocated", " or audio_ms > 0", "", "audio of an event with languages is lost"),
    Mutant("allocated", " or run_status is not null", "", "a run with languages and without audio is lost"),
    # What is added up
    *(
        Mutant("day_cube", f"sum({name})::bigint", f"max({name})::bigint", f"events of a quarter do not add {name}")
        for name in ("credits", "characters", "lines", "corrected", "audio_ms")
    ),
    *(
        Mutant("day_cube", f"greatest({all_}", f"greatest({all_.replace(one, '0')}", f"rows with nothing but {what} go")
        for all_ in ("sum(credits), sum(characters), sum(lines), sum(corrected), sum(audio_ms), count(run_status)",)
        for one, what in (
            ("sum(characters)", "characters"),
            ("sum(lines)", "lines"),
            ("sum(corrected)", "corrected ones"),
            ("sum(credits)", "credits"),
            ("sum(audio_ms)", "audio"),
            ("count(run_status)", "runs"),
        )
    ),
    Mutant("day_cube", " > 0\n", " >= 0\n", "rows of nothing are kept"),
    Mutant("day_cube", "(run_status = 'failed')", "(run_status = 'paused')", "failed runs are not counted"),
    Mutant("day_actors", "semi join changed using (workspace_id, day)\n", "", "days that did not change are added up"),
    Mutant("day_actors", "count(*)", "count(user_id)", "system events are not counted"),
    Mutant("day_actors", "sum(credits)", "max(credits)", "credits of a user are not added up"),
    # What stays of a month
    Mutant(
        "cube", "days.workspace_id and day_cube.quarter::date = days.day", "days.workspace_id", "other months come in"
    ),
    Mutant("cube", "day_cube.workspace_id = days.workspace_id and ", "", "other workspaces' days come in"),
    Mutant("cube", "anti join days on stored_cube", "semi join days on stored_cube", "the old days are kept"),
    Mutant("cube", "stored_cube.workspace_id = days.workspace_id and ", "", "other workspaces lose the day"),
    Mutant("cube", " and stored_cube.quarter::date = days.day", "", "the other days of the month are lost"),
    Mutant("cube", "select * from kept union all by name ", "", "the same"),
    Mutant(
        "cube", "order by workspace_id, quarter, locale nulls first", "order by workspace_id, locale, quarter", "order"
    ),
    Mutant("cube", "nulls first", "nulls last", "untagged comes last"),
    Mutant("cube", "'%Y-%m'", "'%Y-11'", "all months are November"),
    Mutant("actors", "semi join days using (workspace_id, day)", "semi join days using (day)", "other days come in"),
    Mutant("actors", "anti join days", "semi join days", "the old days are kept"),
    Mutant("actors", "anti join days using (workspace_id, day)", "anti join days using (day)", "others lose the day"),
    Mutant("actors", "anti join days using (workspace_id, day)", "where false", "other days of the month are lost"),
    Mutant("actors", "nulls first", "nulls last", "system events come last"),
    Mutant("actors", "day, action, user_id", "action, day, user_id", "rows are not sorted by day"),
]

# These give the same tables, for a reason.
EQUIVALENT: Final = [
    Mutant(
        "ranked", "\nsemi join repeated using (position)", "", "an id that occurs once has rank 1: only time is lost"
    ),
    Mutant("tied", "  where rank = 1\n", "  where rank >= 1\n", "a single best version is settled alone"),
    Mutant("tied", "using (workspace_id, day, id)", "using (workspace_id, day)", "likewise"),
    Mutant("changed_days", "\norder by workspace_id, day", "", "the partitions are written by name"),
    Mutant("tied", "\norder by position", "", "the rows carry their position: only reading them takes longer"),
]
