"""The Litestar side of the service: a handler computes `data` from a question and nothing else.

Everything that a request needs besides (credential, parameters, caching, `meta`, errors) is done by `http.front`,
which puts the question into the scope's state.
"""

from typing import Any, Final, NoReturn

from litestar import Litestar, MediaType, Request, get
from litestar.types import Scope
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from service.api import activity, by_language, summary, whoami
from service.api.envelope import Answer
from service.api.routes import ACTIVITY, BY_LANGUAGE, LIVE, METRICS, READY, SCHEMA, SCHEMA_PAGE, SUMMARY, WHOAMI
from service.http import openapi
from service.tables.snapshots import Snapshots
from service.telemetry.metrics import Metrics

QUESTION: Final = "question"

_EXPOSITION: Final = CONTENT_TYPE_PLAIN_0_0_4.partition("; charset=")[0]  # to which Litestar adds the charset


def create_handlers(snapshots: Snapshots, metrics: Metrics) -> Litestar:
    """Return the routes over the tables of one data folder.

    They run in the event loop: each takes well under a millisecond of arithmetic, less than a thread would cost.
    """

    @get(SUMMARY, sync_to_thread=False)
    def usage_summary(scope: Scope) -> Answer[summary.Summary]:
        return Answer(summary.answer(_question(scope), snapshots))

    @get(BY_LANGUAGE, sync_to_thread=False)
    def usage_by_language(scope: Scope) -> Answer[by_language.ByLanguage]:
        return Answer(by_language.answer(_question(scope), snapshots))

    @get(ACTIVITY, sync_to_thread=False)
    def usage_activity(scope: Scope) -> activity.Page:
        return activity.answer(_question(scope), snapshots)

    @get(WHOAMI, sync_to_thread=False)
    def auth_whoami(scope: Scope) -> Answer[whoami.Whoami]:
        return Answer(_question(scope))

    @get(LIVE, sync_to_thread=False)
    def live() -> dict[str, str]:
        return {"status": "live"}

    @get(READY, sync_to_thread=False)
    def ready() -> dict[str, str]:
        snapshots.current()
        return {"status": "ready"}

    @get(METRICS, media_type=_EXPOSITION, sync_to_thread=False)
    def read_metrics() -> bytes:
        return metrics.exposition()

    @get(SCHEMA, sync_to_thread=False)
    def schema() -> dict[str, Any]:
        return openapi.document()

    @get(SCHEMA_PAGE, media_type=MediaType.HTML, sync_to_thread=False)
    def schema_page() -> str:
        return openapi.page()

    return Litestar(
        [usage_summary, usage_by_language, usage_activity, auth_whoami, live, ready, read_metrics, schema, schema_page],
        exception_handlers={Exception: _leave_to_front},
        openapi_config=None,
        logging_config=None,
    )


def _question(scope: Scope) -> Any:
    return scope["state"][QUESTION]


def _leave_to_front(_: Request[Any, Any, Any], error: Exception) -> NoReturn:
    raise error
