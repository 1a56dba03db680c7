"""The routes of the service in one list: what each requires, which parameters it takes, and how it is answered."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from pipeline.contract.directory import READ_SCOPE
from service.api import activity, by_language, summary, whoami
from service.api.csv_tables import BUCKETS, DAYS, EVENTS, LANGUAGES, CsvTable
from service.api.envelope import Question
from service.api.parameters import (
    FeedParameters,
    LanguageParameters,
    NoParameters,
    Parameters,
    SummaryParameters,
)

SUMMARY: Final = "/api/v1/usage/summary"
BY_LANGUAGE: Final = "/api/v1/usage/by-language"
ACTIVITY: Final = "/api/v1/usage/activity"
WHOAMI: Final = "/api/v1/auth/whoami"

LIVE: Final = "/health/live"
READY: Final = "/health/ready"
METRICS: Final = "/metrics"
SCHEMA_PAGE: Final = "/schema"
SCHEMA: Final = "/schema/openapi.json"
PAGE: Final = "/usage/"  # and its files

# These need no credential and show nothing of any tenant.
OPEN_ROUTES: Final = frozenset({LIVE, READY, METRICS, SCHEMA_PAGE, SCHEMA})


class Endpoint(msgspec.Struct, frozen=True):
    """One route of the API.

    `ask(parameters, caller, directory, now)` returns the question of a request; one answer serves all equal questions.
    `csv_tables` are the layouts as CSV; if there are two, the second is for requests that name a view.
    """

    path: str
    summary: str
    parameters: type[Parameters]
    ask: Callable[..., Question]
    data: Any
    scope: str | None = READ_SCOPE
    needs_tables: bool = True
    paginated: bool = False
    csv_tables: tuple[CsvTable, ...] = ()


ENDPOINTS: Final = (
    Endpoint(
        SUMMARY,
        "Totals, buckets and days of a workspace, and the caller's own credits",
        SummaryParameters,
        summary.ask,
        summary.Summary,
        csv_tables=(DAYS, BUCKETS),
    ),
    Endpoint(
        BY_LANGUAGE,
        "What each language used",
        LanguageParameters,
        by_language.ask,
        by_language.ByLanguage,
        csv_tables=(LANGUAGES,),
    ),
    Endpoint(
        ACTIVITY,
        "Who did what, newest first, in pages",
        FeedParameters,
        activity.ask,
        list[activity.Event],
        paginated=True,
        csv_tables=(EVENTS,),
    ),
    Endpoint(
        WHOAMI,
        "What the credential stands for",
        NoParameters,
        whoami.ask,
        whoami.Whoami,
        scope=None,
        needs_tables=False,
    ),
)
