"""The modules that are mutated, each with the tests that concern it, the quickest first."""

from typing import Final

_CALENDAR: Final = "tests/contract/test_calendar.py"
_DIGESTS: Final = "tests/storage/test_digests.py"
_ENTRIES: Final = "tests/storage/test_entries.py"
_PARAMETERS: Final = "tests/service/api/test_parameters.py"
_STATE: Final = "tests/storage/test_state.py"
_STORE: Final = "tests/service/http/test_rate_limit_store.py"
_TORN_MONTHS: Final = "tests/storage/test_torn_months.py"

TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "pipeline/contract/calendar.py": (
        f"{_CALENDAR}::test_worked_examples",
        f"{_CALENDAR}::test_adding_months_clamps_the_day",
        f"{_CALENDAR}::test_unknown_names_raise",
        f"{_CALENDAR}::test_days_off_the_grid_raise",
        f"{_CALENDAR}::test_first_day",
        f"{_CALENDAR}::test_midnight_within_a_gap",
        f"{_CALENDAR}::test_clock_that_goes_back_over_midnight",
        "tests/contract/test_windows.py",
        f"{_CALENDAR}::test_utc_days_and_rfc_3339",
        f"{_CALENDAR}::test_days_of_any_release",
    ),
    "pipeline/contract/zones.py": (
        f"{_CALENDAR}::test_worked_examples",
        f"{_CALENDAR}::test_unknown_names_raise",
        f"{_CALENDAR}::test_zone_names",
        "tests/contract/test_zones.py",
    ),
    "pipeline/storage/commit.py": (
        _DIGESTS,
        _TORN_MONTHS,
        "tests/storage/test_commit.py",
        "tests/storage/test_damage.py::test_no_commit_is_discarded",
    ),
    "pipeline/storage/store.py": ("tests/storage/test_store.py", _DIGESTS),
    "pipeline/storage/folder.py": (
        "tests/storage/test_store.py",
        "tests/storage/test_published.py",
        _DIGESTS,
        "tests/storage/test_syncs.py",
        "tests/storage/test_commit.py",
    ),
    "pipeline/storage/state.py": (_STATE, _DIGESTS, _TORN_MONTHS, _ENTRIES, "tests/storage/test_commit.py"),
    "pipeline/storage/entries.py": (_ENTRIES, _STATE),
    "pipeline/storage/digests.py": (_DIGESTS,),
    "pipeline/storage/read_only.py": (_STATE, _DIGESTS),
    "service/api/cursors.py": (
        "tests/service/api/test_cursors.py::test_smallest_valid_token",
        "tests/service/api/test_cursors.py::test_edges",
        "tests/service/api/test_cursors.py",
    ),
    "service/http/rate_limit.py": (
        "tests/service/http/test_limiter.py",
        f"{_STORE}::test_shared_limit_is_raised",
        f"{_STORE}::test_refusals_ask_no_store",
        f"{_STORE}::test_store_out_of_reach",
        f"{_STORE}::test_uri_of_no_store",
        f"{_STORE}::test_busy_worker_waits_for_what_has_arrived",
        f"{_STORE}::test_slow_store_holds_up_nobody",
        "tests/service/http/test_rate_limit.py",
        f"{_STORE}::test_any_interleaving",
    ),
    "service/api/parameters.py": (
        f"{_PARAMETERS}::test_values",
        f"{_PARAMETERS}::test_rules_and_values_stay",
        f"{_PARAMETERS}::test_messages_say_what_is_accepted",
        f"{_PARAMETERS}::test_cursor_of_other_parameters",
        f"{_PARAMETERS}::test_actions_of_the_last_run",
        f"{_PARAMETERS}::test_faults_of_headers_come_first",
        f"{_PARAMETERS}::test_long_queries_are_not_remembered",
        f"{_PARAMETERS}::test_rules",
        f"{_PARAMETERS}::test_defaults_and_echo",
        "tests/service/http/test_openapi.py::test_parameters",
    ),
}
