"""`include` on the summary: what it changes, what it leaves as it was, when its answers change, and its faults."""

import hashlib
import itertools
from datetime import date
from typing import Any

import httpx
import onepin
import pytest

from pipeline.contract.calendar import QUARTER_US, SECOND_US
from pipeline.contract.formats import instant
from tests.support.clock import ManualClock
from tests.support.service_folder import ServiceFolder, call

SUMMARY = "/api/v1/usage/summary"
BOTH = "include=comparison,pace"
LONGEST = "range=90d&activity_view=monthly&timezone=Asia/Kathmandu"

# Entity tag, and SHA-256 of everything before `meta`, as they were before there was `include`.
RECORDED = {
    ("application/json", ""): (
        'W/"099db3546f6b4e5c49975deab6831f06"',
        "faf76ee12d9144f81195d0c510d2b43a",
    ),
    ("application/json", LONGEST): (
        'W/"fc440b66216171810a7d0ba864926d29"',
        "7658d1da99533f3dc450e8043df8922f",
    ),
    ("text/csv", ""): (
        'W/"78673bcd1a6a663d0c44c1ca9197f80a"',
        "381150cac948caa8e81ccfc7b8c37594",
    ),
    ("text/csv", LONGEST): (
        'W/"58e2a08c10fafd200430230481693de5"',
        "caf55bb24ed7ef715bdb0a74a9bc5a55",
    ),
}


@pytest.fixture
def filled(folder: ServiceFolder, event: Any) -> ServiceFolder:
    """Return a folder with runs every 19 hours, and an account."""
    folder.account(folder.user, quota=1000, period_anchor="2026-01-24T09:00:13.5Z")
    folder.publish(
        [
            event(
                folder.now - number * 70_000_000_007,
                id=str(number),
                credits=number,
                action="workflow_run",
                run_id="r",
                run_status="completed",
                audio_ms=number,
                languages=[{"locale": "de", "characters": number + 1, "lines": 2}],
            )
            for number in range(40)
        ]
    )
    return folder


@pytest.mark.parametrize(("accept", "query"), RECORDED)
def test_answers_without_it_stay(filled: ServiceFolder, accept: str, query: str) -> None:
    """Without `include`, body and entity tag are those of before, byte for byte; CSV is that also with it."""
    app = filled.app()
    queries = [query, f"{query}&{BOTH}"] if accept == "text/csv" else [query]
    for asked in (*queries, *reversed(queries)):
        reply = filled.ask(SUMMARY, asked, app, accept=accept)
        digest = hashlib.sha256(reply.body.partition(b',"meta":')[0]).hexdigest()
        assert (reply.headers["etag"], digest[:32]) == RECORDED[accept, query]


def test_one_query_in_both_forms(filled: ServiceFolder) -> None:
    """The same query asked for as JSON and as CSV, in turn, is answered in each form as by a fresh service."""
    app = filled.app()
    for accept in ("application/json", "text/csv") * 2:
        ours, fresh = (filled.ask(SUMMARY, BOTH, one, accept=accept) for one in (app, filled.app()))
        assert ours.headers["etag"] == fresh.headers["etag"]
        assert ours.body.partition(b',"meta":')[0] == fresh.body.partition(b',"meta":')[0]


def test_entity_tags_without_it_stay(folder: ServiceFolder) -> None:
    """The entity tag of a caller whose credits are not renewed is that of before, too."""
    folder.account(folder.user, quota=1000, period_anchor="2026-01-24T09:00:13.5Z", credits_renewal="one_time")
    folder.publish()
    assert folder.ask(SUMMARY).headers["etag"] == 'W/"973e0937b1237d1fed197f7441f79828"'


def test_only_what_is_asked_for_is_added(filled: ServiceFolder) -> None:
    """Each part is there only if it is asked for, in whatever order; everything else is as without it."""
    plain = filled.data("summary")
    both = filled.ask(SUMMARY, BOTH)
    swapped = filled.ask(SUMMARY, "include=pace%2Ccomparison&timezone=UTC")
    assert both.json()["data"] == swapped.json()["data"]
    assert both.headers["etag"] == swapped.headers["etag"] != filled.ask(SUMMARY).headers["etag"]
    for query, added in (
        ("comparison", {"comparison"}),
        ("pace", {"pace"}),
        ("pace,comparison", {"comparison", "pace"}),
    ):
        data = filled.data("summary", f"include={query}")
        found = {name: data.pop(name) for name in ("comparison",) if name in data}
        found |= {name: data["credits"].pop(name) for name in ("pace",) if name in data["credits"]}
        assert data == plain
        assert found.keys() == added
        assert all(found[name] == (both.json()["data"] | both.json()["data"]["credits"])[name] for name in added)


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        *(
            (f"include={text}", "must be comparison or pace, or both with a comma between them, each once")
            for text in (
                "Pace",
                "x",
                "pace,",
                ",pace",
                ",",
                "pace,pace",
                "pace,comparison,pace",
                "pace,+comparison",
                "%00",
            )
        ),
        ("include=", "is empty; leave it out to get the default"),
        ("include", "is empty; leave it out to get the default"),
        ("include=pace&include=comparison", "is given more than once"),
        ("include=%ff", "is not percent-encoded UTF-8"),
    ],
)
def test_faults(folder: ServiceFolder, query: str, message: str, accept: str) -> None:
    """Unknown, empty and repeated names are refused, in CSV too, with what is accepted."""
    folder.publish()
    reply = folder.ask(SUMMARY, query, accept=accept)
    assert (reply.status, reply.json()["error"]["message"]) == (422, f"include: {message}")


def test_elsewhere_it_is_unknown(folder: ServiceFolder) -> None:
    """On the other routes it is an unknown parameter."""
    folder.publish()
    for path in ("by-language", "activity"):
        assert folder.data(path, "include=x&include=") == folder.data(path)


def test_when_answers_change(filled: ServiceFolder, event: Any) -> None:
    """Answers change at a quarter-hour, a directory change, or a commit that changes them, and at no other time."""
    clock = ManualClock()
    app = filled.app(monotonic=clock)

    def tag(query: str = BOTH) -> str:
        reply = filled.ask(SUMMARY, query, app)
        assert reply.json()["data"] == filled.data("summary", query)  # as a service that was just started answers
        assert filled.ask(SUMMARY, query, app, if_none_match=reply.headers["etag"]).status == 304
        assert filled.ask(SUMMARY, query).headers["etag"] == reply.headers["etag"]
        return reply.headers["etag"]

    plain, first = tag(""), tag()
    filled.now += QUARTER_US - 1
    assert (tag(""), tag()) == (plain, first)
    filled.now += 1
    second = tag()
    assert (tag(""), second != first) == (plain, True)
    # These commits move data_as_of within a quarter-hour, then to the next one.
    filled.publish([event("2026-11-24T12:01:00Z", credits=3)], data_as_of=filled.now - 60 * SECOND_US)
    third = tag()
    assert third != second
    filled.publish([event("2026-11-24T12:01:00Z", credits=3)], data_as_of=filled.now - SECOND_US)
    assert tag() == third
    filled.publish([event("2026-11-24T12:01:00Z", credits=3)], data_as_of=filled.now)
    assert tag() != third
    fourth = tag()
    filled.account(filled.user, quota=1001)
    clock.seconds += 1
    assert tag() != fourth
    filled.publish([event("2026-11-24T12:01:00Z", credits=3)], first_kept_day=date(2026, 11, 1))
    assert filled.data("summary", BOTH)["comparison"]["previous"] is None


def test_head_and_gzip(filled: ServiceFolder) -> None:
    """HEAD has the headers of GET, and gzip the same tag."""
    sent = [("authorization", f"Bearer {filled.token}")]
    get = filled.ask(SUMMARY, BOTH)
    head = call(filled.app(), SUMMARY, BOTH.encode(), sent, "HEAD")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", get.headers["etag"])
    zipped = filled.ask(SUMMARY, BOTH, accept_encoding="gzip")
    assert (zipped.headers["content-encoding"], zipped.headers["etag"]) == ("gzip", get.headers["etag"])


def test_the_first_quarter_hour(folder: ServiceFolder) -> None:
    """As today begins, both windows are whole days, whatever the answer was a microsecond before."""
    folder.now = instant("2026-11-24T00:00:00Z") - 1
    folder.publish()
    app, found = folder.app(), []
    for moment in (folder.now, folder.now + 1, folder.now + QUARTER_US, folder.now + QUARTER_US + 1):
        folder.now = moment
        folder.publish(data_as_of=moment)
        comparison = folder.data("summary", BOTH, app)["comparison"]
        found.append(
            [comparison[name][end] for name, end in itertools.product(("current", "previous"), ("start", "end"))]
        )
    midnights = [f"2026-{day}T00:00:00Z" for day in ("10-26", "11-24", "09-26", "10-25")]
    assert found == [
        ["2026-10-25T00:00:00Z", "2026-11-23T23:45:00Z", "2026-09-25T00:00:00Z", "2026-10-24T23:45:00Z"],
        *(midnights, midnights),
        ["2026-10-26T00:00:00Z", "2026-11-24T00:15:00Z", "2026-09-26T00:00:00Z", "2026-10-25T00:15:00Z"],
    ]


def test_the_published_client(filled: ServiceFolder) -> None:
    """The published client can ask for both parts, and reads the rest of the answer as ever."""
    app = filled.app()

    def answer(request: httpx.Request) -> httpx.Response:
        reply = call(app, request.url.path, request.url.query, list(request.headers.items()), request.method)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)

    with httpx.Client(transport=httpx.MockTransport(answer)) as connection:
        client = onepin.OnePinClient(base_url="http://service", token=filled.token, httpx_client=connection)
        plain = client.usage.usage_summary(workspace_id=filled.workspace)
        more = client.usage.usage_summary(
            workspace_id=filled.workspace,
            request_options={"additional_query_parameters": {"include": "comparison,pace"}},
        )
    assert plain.data.credits.used == more.data.credits.used
    assert plain.data.daily == more.data.daily
