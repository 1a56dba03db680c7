"""Rate limits through the front: exactly the limit in a minute of UTC, and the headers that inform the client."""

import itertools
from typing import Any

import pytest

SUMMARY = "/api/v1/usage/summary"
WHOAMI = "/api/v1/auth/whoami"
FIELDS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-policy", "ratelimit")
MINUTE = 60_000_000


def _authorization(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


def test_exactly_the_limit(folder: Any, send: Any) -> None:
    """A limit of N lets N answers through, reports how many are left, and refuses the rest with Retry-After."""
    headers, app = _authorization(folder.key(rate_limit_per_min=3)), folder.app()
    replies = [send(app, WHOAMI, headers=headers) for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    reset = folder.now // 1_000_000 + 60
    for reply, left in zip(replies, (2, 1, 0, 0, 0), strict=True):
        assert [reply.headers[field] for field in FIELDS] == [
            "3",
            str(left),
            str(reset),
            '"key";q=3;w=60',
            f'"key";r={left};t=60',
        ]
        assert ("retry-after" in reply.headers) == (reply.status == 429)
    assert replies[3].json()["error"]["code"] == "RATE_LIMITED"
    assert replies[3].headers["retry-after"] == "60"


def test_next_minute(folder: Any, send: Any) -> None:
    """The count starts again with each minute of UTC; Retry-After is the whole seconds until then, from 60 to 1."""
    headers, app = _authorization(folder.key(rate_limit_per_min=1)), folder.app()
    start, waits = folder.now, {}
    for second in (0, 1, 29.5, 59, 59.999999, 60):
        folder.now = start + int(second * 1_000_000)
        reply = send(app, WHOAMI, headers=headers)
        waits[second] = (reply.status, reply.headers.get("retry-after"))
    assert waits == {
        0: (200, None),
        1: (429, "59"),
        29.5: (429, "31"),
        59: (429, "1"),
        59.999999: (429, "1"),
        60: (200, None),
    }


def test_clock_set_back(folder: Any, send: Any) -> None:
    """Setting the clock back locks nobody out; at most two minutes of counts are kept."""
    headers, app = _authorization(folder.key(rate_limit_per_min=1)), folder.app()
    start = folder.now
    for minute in (5, 4, 3, 100, 2):
        folder.now = start + minute * MINUTE
        assert send(app, WHOAMI, headers=headers).status == 200
    assert len(app._limiter._minutes) == 2  # noqa: SLF001 - visible nowhere else


def test_order_of_checks(folder: Any, send: Any) -> None:
    """401 comes before 429 and has no headers of a limit; 429 comes before 403, 422, 404 and 503."""
    token, app = folder.key(rate_limit_per_min=0, scopes=[]), folder.app()
    refused = send(app, SUMMARY, headers=_authorization("op_live_" + "x" * 32))
    assert refused.status == 401
    assert not set(FIELDS) & set(refused.headers)
    for query, workspace in ((b"", folder.workspace), (b"range=1", folder.other_workspace), (b"", "oops")):
        reply = send(app, SUMMARY, query, [*_authorization(token), ("x-workspace-id", workspace)])
        assert reply.status == 429


@pytest.mark.parametrize(
    ("path", "query", "workspace", "status"),
    [
        (SUMMARY, b"", "b0000000-0000-4000-8000-000000000002", 403),
        (SUMMARY, b"range=1", "", 422),
        (SUMMARY, b"", "a0000000-0000-4000-8000-000000000001", 503),
        ("/api/v1/usage/activity", b"user_id=d0000000-0000-4000-8000-00000000000b", None, 404),
    ],
)
def test_errors_count(folder: Any, send: Any, path: str, query: bytes, workspace: str | None, status: int) -> None:
    """An error is an answer: it counts, and carries the headers of the limit."""
    headers, app = _authorization(folder.key(rate_limit_per_min=1)), folder.app()
    if workspace is not None:
        headers.append(("x-workspace-id", workspace))
    first, second = send(app, path, query, headers), send(app, path, query, headers)
    assert (first.status, second.status) == (status, 429)
    assert first.headers["x-ratelimit-remaining"] == "0"


def test_free_answers(folder: Any, send: Any) -> None:
    """A 304 is free and carries the headers; OPTIONS, unknown routes and health checks carry none; HEAD counts."""
    folder.publish()
    headers, app = _authorization(folder.key(rate_limit_per_min=2)), folder.app()
    tag = send(app, SUMMARY, headers=headers).headers["etag"]
    for _ in range(5):
        unchanged = send(app, SUMMARY, headers=[*headers, ("if-none-match", tag)])
        assert (unchanged.status, unchanged.headers["x-ratelimit-remaining"]) == (304, "1")
        for path, method in (("/health/live", "GET"), ("/health/ready", "GET"), (SUMMARY, "OPTIONS"), ("/x", "GET")):
            assert "x-ratelimit-limit" not in send(app, path, headers=headers, method=method).headers
    assert send(app, SUMMARY, headers=headers, method="HEAD").headers["x-ratelimit-remaining"] == "0"
    assert send(app, SUMMARY, headers=[*headers, ("if-none-match", tag)]).status == 429


def test_each_key_has_its_own_limit(folder: Any, send: Any) -> None:
    """Each key has its own count; answers to a key without a limit have no rate-limit headers."""
    keys = [folder.key(rate_limit_per_min=1), folder.key(rate_limit_per_min=1), folder.key()]
    app = folder.app()
    replies = [send(folder.app(), WHOAMI, headers=_authorization(key)) for key in keys]
    assert [send(app, WHOAMI, headers=_authorization(key)).status for key in keys * 2] == [200, 200, 200, 429, 429, 200]
    assert [set(FIELDS) <= set(reply.headers) for reply in replies] == [True, True, False]


def test_limit_of_zero(folder: Any, send: Any) -> None:
    """A limit of 0 refuses every request, even one that would get a 304."""
    folder.publish()
    headers = [*_authorization(folder.key(rate_limit_per_min=0)), ("if-none-match", "*")]
    reply = send(folder.app(), SUMMARY, headers=headers)
    assert (reply.status, reply.headers["x-ratelimit-remaining"]) == (429, "0")


def test_changed_limit(folder: Any, send: Any) -> None:
    """A changed limit takes effect with the directory, within the minute; earlier requests still count."""
    ticks = itertools.count(0, 2)  # two seconds a request
    headers, app = _authorization(folder.key(rate_limit_per_min=1)), folder.app(monotonic=lambda: next(ticks))
    seen = []
    for limit in (1, 1, 3, 3, 3, 2, None, 0):
        folder.directory["api_keys"][-1]["rate_limit_per_min"] = limit
        folder.key()  # writes the file
        folder.directory["api_keys"].pop()
        reply = send(app, WHOAMI, headers=headers)
        seen.append((reply.status, reply.headers.get("x-ratelimit-remaining")))
    assert seen == [
        (200, "0"),
        (429, "0"),
        (200, "1"),
        (200, "0"),
        (429, "0"),
        (429, "0"),
        (200, None),
        (429, "0"),
    ]
