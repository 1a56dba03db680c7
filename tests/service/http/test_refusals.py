"""What the API says when it refuses: what to do, nothing that was sent, in few bytes, and when to ask again."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from service.api import summary
from service.errors import LARGEST_BODY_BYTES, MOST_DETAILS, Detail, InvalidParametersError
from service.http.rate_limit import RateLimiter

SUMMARY = "/api/v1/usage/summary"
ACTIVITY = "/api/v1/usage/activity"
WHOAMI = "/api/v1/auth/whoami"
MARK = "zqxj"  # in nothing that the service says of itself
LONG = MARK * 15_000  # 60 kB

# Path, query and headers; the key is sent in those without a credential.
REFUSED: dict[str, tuple[str, str, dict[str, str]]] = {
    "broken names": (SUMMARY, "%&" * 32_000, {}),
    "broken names, each another": (SUMMARY, "&".join(f"%zz{n}" for n in range(9_000)), {}),
    "names of no text": (SUMMARY, "&".join(f"%ff{n}{MARK}=1" for n in range(4_000)), {}),
    "a broken name": (SUMMARY, f"%{LONG}=1", {}),
    "an unknown name": (SUMMARY, f"{LONG}=1&range=1", {}),
    "the same name": (SUMMARY, "range=30d&" * 6_000, {}),
    "a value": (SUMMARY, f"range={LONG}&timezone={LONG[:99]}&activity_view={MARK}", {}),
    "every value": (ACTIVITY, "&".join(f"{n}={MARK}" for n in ("range", "type", "user_id", "limit", "timezone")), {}),
    "a value of no text": (SUMMARY, f"timezone=%{LONG}", {}),
    "a cursor": (ACTIVITY, f"cursor={LONG}", {}),
    "a workspace": (SUMMARY, "range=1", {"x-workspace-id": LONG}),
    "a workspace of no text": (SUMMARY, "", {"x-workspace-id": "\xff" + LONG}),
    "a user": (ACTIVITY, "user_id=e0000000-0000-4000-8000-00000000000e", {}),
    "a path": (f"/{LONG}", f"{LONG}={LONG}", {}),
    "a path below": (f"{SUMMARY}/{LONG}", "", {}),
    "a key": (SUMMARY, LONG, {"authorization": f"Bearer op_live_{LONG}"}),
    "a token": (SUMMARY, LONG, {"authorization": f"Bearer {MARK}.{MARK}.{MARK}"}),
    "a long token": (SUMMARY, LONG, {"authorization": f"Bearer {LONG}"}),
    "a scheme": (SUMMARY, LONG, {"authorization": LONG}),
    "many headers": (SUMMARY, "range=1", {f"{MARK}-{n}": MARK * 100 for n in range(150)} | {"accept": LONG}),
    "an id": (SUMMARY, "range=1", {"x-request-id": LONG, "host": LONG, "if-none-match": LONG}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_is_repeated(folder: Any, name: str) -> None:
    """Whatever is sent, and however long it is: a refusal is small, and neither body nor headers repeat any of it."""
    folder.publish()
    path, query, headers = REFUSED[name]
    reply = folder.ask(path, query, **headers)
    assert 400 <= reply.status < 500
    assert len(reply.body) < LARGEST_BODY_BYTES
    assert sum(map(len, [*reply.headers, *reply.headers.values()])) < 1_000
    assert MARK not in f"{reply.body.decode()}{reply.headers}".lower()


@pytest.mark.parametrize("method", ["POST", MARK.upper() * 1_000])
def test_methods_are_not_repeated(folder: Any, send: Any, method: str) -> None:
    """A method of 4 kB is refused in few bytes, without its name."""
    reply = send(folder.app(), SUMMARY, method=method)
    assert (reply.status, len(reply.body) < 500, MARK in reply.body.decode().lower()) == (405, True, False)


def test_broken_names_are_one_fault(folder: Any) -> None:
    """However many names of parameters are broken, that is one detail."""
    folder.publish()
    assert folder.ask(SUMMARY, "%&" * 32_000).json()["error"]["details"] == [
        {"field": "query", "message": "has a name that is not percent-encoded UTF-8"}
    ]


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        (ACTIVITY, "limit=0", "limit: must be a whole number from 1 to 100"),
        (
            SUMMARY,
            "range=7d&activity_view=&%ff",
            (
                "query: has a name that is not percent-encoded UTF-8;"
                " activity_view: is empty; leave it out to get the default; range: must be one of 30d, 60d, 90d"
            ),
        ),
    ],
)
def test_message_names_parameters_and_faults(folder: Any, path: str, query: str, message: str) -> None:
    """For 422 `message` is `field: fault; field: fault`, in the order of `details`."""
    folder.publish()
    error = folder.ask(path, query).json()["error"]
    assert error["message"] == message
    assert error["message"] == "; ".join(f"{detail['field']}: {detail['message']}" for detail in error["details"])


def test_message_names_the_header(folder: Any) -> None:
    """A fault of the workspace header is in the message like one of a parameter, and comes first."""
    folder.publish()
    error = folder.ask(SUMMARY, "range=1", X_Workspace_Id="mine").json()["error"]
    assert error["message"].startswith("X-Workspace-Id: must be a UUID of 8-4-4-4-12 hex digits; range: must be one of")


def _refused(details: list[Detail]) -> Any:
    body = InvalidParametersError(details).body("0" * 26, "2026-11-24T12:00:00.000001Z")
    assert len(body) < LARGEST_BODY_BYTES
    return json.loads(body)["error"]


@pytest.mark.parametrize(("faults", "more"), [(20, 0), (21, 2), (30_000, 29_981)])
def test_number_of_details(faults: int, more: int) -> None:
    """There are 20 details at most; where there are more faults, the last detail says how many."""
    details = [Detail(f"field_{number}", "is wrong") for number in range(faults)]
    error = _refused(details)
    assert len(error["details"]) == MOST_DETAILS == 20
    last = (
        {"field": "query", "message": f"has {more} more faults"}
        if more
        else {"field": "field_19", "message": "is wrong"}
    )
    assert error["details"][-1] == last
    assert error["message"].endswith(f"{last['field']}: {last['message']}")


def test_one_detail_a_field_and_fault() -> None:
    """The same fault of the same field is one detail; another fault of the field is another."""
    details = [Detail("a", "x"), Detail("a", "y"), Detail("a", "x"), Detail("b", "x")]
    assert [tuple(detail.values()) for detail in _refused(details * 9)["details"]] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "x"),
    ]


def test_size_of_details() -> None:
    """Faults with long texts, such as a list of a hundred actions, do not make the body longer than allowed."""
    error = _refused([Detail(f"field_{number}", "x" * 10_000) for number in range(30)])
    assert error["details"][-1]["message"] == f"has {31 - len(error['details'])} more faults"


@pytest.fixture
def failing(folder: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a folder whose summaries fail for an unforeseen reason."""
    folder.publish()

    def fail(*_: object) -> None:
        raise RuntimeError(MARK)

    monkeypatch.setattr(summary, "answer", fail)
    return folder


def test_retry_after_an_unforeseen_error(failing: Any) -> None:
    """500 asks to try again after a second, also where a limited key gets `X-RateLimit-Reset` in the same answer."""
    assert failing.ask(SUMMARY).headers["retry-after"] == "1"
    limited = failing.ask(SUMMARY, authorization=f"Bearer {failing.key(rate_limit_per_min=9)}")
    assert (limited.status, limited.headers["retry-after"]) == (500, "1")
    assert limited.headers["x-ratelimit-reset"]


def test_retry_after_unavailability(folder: Any, send: Callable[..., Any]) -> None:
    """503 asks to try again after five seconds, on every route that may be unavailable."""
    limited = f"Bearer {folder.key(rate_limit_per_min=9)}"
    for reply in (
        folder.ask(SUMMARY),
        folder.ask(SUMMARY, authorization=limited),
        send(folder.app(), "/health/ready"),
        send(folder.app(), "/health/ready", method="HEAD"),
    ):
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")


def test_retry_after_a_spent_limit(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """429 asks to wait until the minute ends, also where other answers spent the limit while this one was computed."""
    folder.now += 17_500_000
    token, app = folder.key(rate_limit_per_min=1), folder.app()
    folder.ask(WHOAMI, app=app, authorization=f"Bearer {token}")
    spent = folder.ask(WHOAMI, app=app, authorization=f"Bearer {token}")
    monkeypatch.setattr(RateLimiter, "check", lambda *_: None)
    late = folder.ask(WHOAMI, app=app, authorization=f"Bearer {token}")
    for reply in (spent, late):
        assert (reply.status, reply.headers["retry-after"]) == (429, "43")


def test_what_is_not_retried(folder: Any) -> None:
    """An answer after which the same request would fail again says nothing about asking again."""
    folder.publish()
    for query, headers in (
        ("range=1", {}),
        ("", {"x-workspace-id": folder.other_workspace}),
        ("", {"authorization": ""}),
    ):
        reply = folder.ask(SUMMARY, query, **headers)
        assert 400 <= reply.status < 500
        assert "retry-after" not in reply.headers
