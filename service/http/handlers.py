"""The handlers of the Litestar application: each computes the `data` of one route from a question, and nothing else.

The front does everything else that a request needs: credential, parameters, caching, `meta`, errors. It leaves the
question and the snapshot of the tables in the state of the request. Handlers run in the event loop: each takes well
under a millisecond of arithmetic, less than a thread would cost.
"""

from typing import Any, Final, NoReturn

from litestar import MediaType, Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.types import Scope
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from pipeline.contract.calendar import rfc3339
from service.api import activity, by_language, summary, whoami
from service.api.envelope import Answer
from service.api.routes import ACTIVITY, BY_LANGUAGE, LIVE, METRICS, READY, SCHEMA, SCHEMA_PAGE, SUMMARY, WHOAMI
from service.errors import UnavailableError
from service.http import openapi
from service.http.stopping import Stopping
from service.tables.snapshots import Snapshot, Snapshots
from service.telemetry.metrics import Metrics

QUESTION: Final = "question"  # name in the state of the request, and of the dependency
SNAPSHOT: Final = "snapshot"  # name in the state of the request

_EXPOSITION: Final = CONTENT_TYPE_PLAIN_0_0_4.partition("; charset=")[0]  # Litestar adds the charset


class ServiceState(State):
    """The application state: what the handlers read from."""

    snapshots: Snapshots
    metrics: Metrics
    stopping: Stopping
    prefix: str


# The only dependency: Litestar resolves a second one in a task group, which triples the time of a small answer.
def provide_question(scope: Scope) -> Any:
    """Return the question that the front left in the state of the request."""
    return scope["state"][QUESTION]


def _snapshot(scope: Scope) -> Snapshot:
    """Return the snapshot that the front left in the state of the request, of which the answer is computed.

    Raises:
        StoreError: nothing was published.
    """
    return scope["state"][SNAPSHOT]  # type: ignore[no-any-return]


@get(SUMMARY, sync_to_thread=False)
def usage_summary(question: NamedDependency[summary.Question], scope: Scope) -> Answer[summary.Summary]:
    """Compute totals, buckets and days, and the caller's own credits."""
    return Answer(summary.answer(question, _snapshot(scope)))


@get(BY_LANGUAGE, sync_to_thread=False)
def usage_by_language(question: NamedDependency[by_language.Question], scope: Scope) -> Answer[by_language.ByLanguage]:
    """Compute what each language used."""
    return Answer(by_language.answer(question, _snapshot(scope)))


@get(ACTIVITY, sync_to_thread=False)
def usage_activity(question: NamedDependency[activity.Question], scope: Scope) -> activity.Page:
    """Read one page of events."""
    return activity.answer(question, _snapshot(scope))


@get(WHOAMI, sync_to_thread=False)
def auth_whoami(question: NamedDependency[whoami.Whoami]) -> Answer[whoami.Whoami]:
    """Return the question, which says all there is to say about the credential."""
    return Answer(question)


@get(LIVE, sync_to_thread=False)
def live() -> dict[str, str]:
    """Answer, which shows that the process is alive."""
    return {"status": "live"}


@get(READY, sync_to_thread=False)
def ready(state: ServiceState) -> dict[str, str]:
    """Answer if something is published, and this worker goes on; also since when the object store is away, if it is.

    Raises:
        StoreError: nothing is published yet, or it cannot be read.
        UnavailableError: this worker is about to end.
    """
    if state.stopping.begun:
        raise UnavailableError
    state.snapshots.current()
    since = state.snapshots.away_since()
    return {"status": "ready"} if since is None else {"status": "ready", "store_away_since": rfc3339(since)}


@get(METRICS, media_type=_EXPOSITION, sync_to_thread=False)
def read_metrics(state: ServiceState) -> bytes:
    """Return the metrics in the text format of Prometheus."""
    return state.metrics.exposition()


@get(SCHEMA, sync_to_thread=False)
def schema(state: ServiceState) -> dict[str, Any]:
    """Return the OpenAPI document."""
    return openapi.document(state.snapshots.actions(), state.prefix)


@get(SCHEMA_PAGE, media_type=MediaType.HTML, sync_to_thread=False)
def schema_page(state: ServiceState) -> str:
    """Return the OpenAPI document as a page."""
    return openapi.page(state.snapshots.actions(), state.prefix)


def raise_to_front(_: Request[Any, Any, State], error: Exception) -> NoReturn:
    """Raise an error again, so that the front refuses the request as it refuses all others."""
    raise error


ROUTE_HANDLERS: Final = (
    *(usage_summary, usage_by_language, usage_activity, auth_whoami),
    *(live, ready, read_metrics, schema, schema_page),
)
DEPENDENCIES: Final = {QUESTION: Provide(provide_question, sync_to_thread=False)}
