"""Query parameters: every rule, all faults at once, never a 500."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import DAY_US
from service.api import parameters
from service.api.cursors import Cursor, encode
from service.api.parameters import FeedParameters, LanguageParameters, Parameters, SummaryParameters, read, rules
from service.errors import Detail, InvalidParametersError

USER, OTHER = "c0000000-0000-4000-8000-00000000000a", "d0000000-0000-4000-8000-00000000000b"
CURSOR = Cursor(1, "next", 1_000, "evt", 0, 90 * DAY_US, "90d", "workflow_run", USER, "UTC")
ENDPOINTS = ("summary", "by-language", "activity")


def _fields(folder: Any, endpoint: str, query: str) -> list[str]:
    reply = folder.ask(f"/api/v1/usage/{endpoint}", query)
    if reply.status == 200:
        return []
    assert reply.status == 422
    error = reply.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert all(detail["message"] for detail in error["details"])
    return [detail["field"] for detail in error["details"]]


@pytest.mark.parametrize(
    ("endpoint", "query", "fields"),
    [
        ("summary", "", []),
        ("summary", "range=90d&activity_view=weekly&timezone=Asia/Kathmandu", []),
        ("summary", "range=30D", ["range"]),
        ("summary", "range=7d&activity_view=hourly&timezone=Mars/Base", ["range", "activity_view", "timezone"]),
        ("summary", "range=", ["range"]),
        ("summary", "range", ["range"]),
        ("summary", "range=30d&range=30d", ["range"]),
        ("summary", "ra%6ege=60d", []),
        ("summary", "unknown=%ff&unknown=&x", []),
        ("summary", "timezone=utc", ["timezone"]),
        ("summary", "timezone=America%2FNew_York", []),
        ("summary", "timezone=Etc/GMT%2B5", []),
        ("summary", "timezone=Etc/GMT+5", ["timezone"]),
        ("summary", "timezone=../../etc/passwd", ["timezone"]),
        ("summary", "timezone=%ff", ["timezone"]),
        ("summary", "timezone=%4", ["timezone"]),
        ("summary", "timezone=UTC%00", ["timezone"]),
        ("summary", "%ff=1", ["query"]),
        ("by-language", "activity_view=monthly&range=bad", ["range"]),
        ("by-language", "activity_view=", ["activity_view"]),
        ("activity", "limit=1&type=workflow_run", []),
        ("activity", "limit=100", []),
        ("activity", "limit=0", ["limit"]),
        ("activity", "limit=101", ["limit"]),
        ("activity", "limit=+5", ["limit"]),
        ("activity", "limit=%2B5", ["limit"]),
        ("activity", "limit=5.0", ["limit"]),
        ("activity", "limit=1_0", ["limit"]),
        ("activity", "limit=" + quote("٥"), ["limit"]),
        ("activity", "limit=" + quote("²"), ["limit"]),
        ("activity", "limit=" + "9" * 5000, ["limit"]),
        ("activity", "type=Workflow_run", ["type"]),
        ("activity", "user_id=me", ["user_id"]),
        ("activity", "cursor=abc", ["cursor"]),
        ("activity", "cursor=", ["cursor"]),
        ("activity", "activity_view=nonsense", []),
        (
            "activity",
            "range=1&type=2&user_id=3&limit=x&cursor=5&timezone=6",
            ["range", "type", "user_id", "limit", "cursor", "timezone"],
        ),
    ],
)
def test_rules(folder: Any, endpoint: str, query: str, fields: list[str]) -> None:
    """Each faulty parameter has one detail; repeated and empty ones are faulty, unknown ones are ignored."""
    folder.publish()
    assert _fields(folder, endpoint, query) == fields


def test_defaults_and_echo(folder: Any) -> None:
    """Defaults: range 30d, activity_view daily (none by language), limit 20, timezone UTC; the zone is echoed."""
    folder.publish()
    summary = folder.data("summary")
    assert (summary["range"], summary["activity_view"], summary["timezone"]) == ("30d", "daily", "UTC")
    languages = folder.data("by-language", "timezone=Asia/Katmandu")
    assert (languages["range"], languages["activity_view"], languages["timezone"]) == ("30d", None, "Asia/Katmandu")
    assert folder.ask("/api/v1/usage/activity").json()["pagination"]["limit"] == 20


def test_user_id_that_is_no_active_member(folder: Any) -> None:
    """user_id may be in any case; the id of anyone but an active member is 404."""
    folder.publish()
    folder.member(folder.workspace, folder.other_user, status="removed")
    folder.member(folder.other_workspace, "e0000000-0000-4000-8000-00000000000e")
    activity = "/api/v1/usage/activity"
    assert folder.ask(activity, f"user_id={folder.user.upper()}").status == 200
    for stranger in (folder.other_user, "e0000000-0000-4000-8000-00000000000e", folder.workspace):
        reply = folder.ask(activity, f"user_id={stranger}")
        assert (reply.status, reply.json()["error"]["code"]) == (404, "NOT_FOUND")


def _faults(*arguments: Any) -> list[str]:
    with pytest.raises(InvalidParametersError) as refused:
        read(FeedParameters, *arguments)
    return [detail.field for detail in refused.value.details]


def test_values() -> None:
    """Values have their types: a limit is a number, an id is in lower case, a cursor is decoded."""
    query = f"range=90d&type=workflow_run&user_id={USER.upper()}&limit=007&cursor={encode(CURSOR)}"
    expected = FeedParameters("90d", "workflow_run", USER, 7, CURSOR, "UTC")
    assert read(FeedParameters, query.encode()) == expected
    assert read(FeedParameters, b"") == FeedParameters("30d", None, None, 20, None, "UTC")
    padded = query.encode() + b"&unknown=" + b"x" * 2000  # not remembered
    assert read(FeedParameters, padded) == expected
    assert read(SummaryParameters, b"limit=0") == SummaryParameters("30d", "daily", "UTC")
    assert read(LanguageParameters, b"activity_view=weekly") == LanguageParameters("30d", "weekly", "UTC")


@pytest.mark.parametrize(
    ("name", "other"),
    [("range", "60d"), ("type", "voice_generated"), ("user_id", OTHER), ("timezone", "Europe/Paris")],
)
def test_cursor_of_other_parameters(name: str, other: str) -> None:
    """A cursor belongs to its range, type, user and zone; a limit may change from page to page."""
    own = {"range": "90d", "type": "workflow_run", "user_id": USER, "timezone": "UTC", "cursor": encode(CURSOR)}
    assert read(FeedParameters, urlencode(own | {"limit": "3"}).encode()).limit == 3
    assert _faults(urlencode(own | {name: other}).encode()) == ["cursor"]
    assert _faults(urlencode(own | {name: "faulty"}).encode()) == [name]  # with no value, nothing can be compared
    assert sorted(_faults(urlencode(own | {name: "faulty", "cursor": "x"}).encode())) == sorted([name, "cursor"])


@pytest.mark.parametrize("kind", [SummaryParameters, LanguageParameters, FeedParameters])
def test_rules_and_values_stay(kind: type[Parameters]) -> None:
    """Neither a rule, which all requests share, nor the values of a request can be changed."""
    for struct, name in ((kind.rules[0], "default"), (read(kind, b""), "range")):
        with pytest.raises(AttributeError):
            setattr(struct, name, "90d")


def test_actions_of_the_last_run() -> None:
    """The types that may be asked for are those that the last run accepted; the other rules stay."""
    assert _faults(b"type=more") == ["type"]
    assert read(FeedParameters, b"type=more&limit=3", (), (*ACTIONS, "more")).type == "more"
    assert _faults(b"type=workflow_run&limit=0", (), ("more",)) == ["type", "limit"]
    assert rules(FeedParameters, ACTIONS) == FeedParameters.rules
    changed = rules(FeedParameters, ("more",))
    assert [rule.name for rule in changed] == [rule.name for rule in FeedParameters.rules]
    differing = [rule for rule in changed if rule not in FeedParameters.rules]
    assert [(rule.name, rule.schema["enum"]) for rule in differing] == [("type", ["more"])]


def test_messages_say_what_is_accepted() -> None:
    """The message of a fault says what its parameter accepts."""
    with pytest.raises(InvalidParametersError) as refused:
        read(FeedParameters, b"range=1&user_id=me&limit=x&cursor=abc&timezone=utc")
    assert {detail.field: detail.message for detail in refused.value.details} == {
        "range": "must be one of 30d, 60d, 90d",
        "user_id": "must be a UUID of 8-4-4-4-12 hex digits",
        "limit": "must be a whole number from 1 to 100",
        "cursor": "must be a cursor from `pagination`, unchanged",
        "timezone": "must be an IANA time zone name such as Europe/Berlin (case-sensitive)",
    }


def test_faults_of_headers_come_first() -> None:
    """The faults of the headers are in the same answer, also if the parameters have none."""
    header = Detail("X-Workspace-ID", "must be a UUID")
    assert _faults(b"", [header]) == ["X-Workspace-ID"]
    assert _faults(b"limit=0", [header]) == ["X-Workspace-ID", "limit"]


def test_long_queries_are_not_remembered() -> None:
    """The values of a query of at most 1,024 bytes are remembered, so what is remembered stays small."""
    remembered = parameters._parse.cache_info  # noqa: SLF001 - visible nowhere else
    for length, is_remembered in ((20, True), (1024, True), (1025, False), (5000, False)):
        query = b"limit=7&x=".ljust(length, b"x")
        hits = remembered().hits
        for _ in range(2):
            assert read(FeedParameters, query).limit == 7
        assert remembered().hits == hits + is_remembered, length


_names = st.sampled_from(["range", "activity_view", "timezone", "limit", "cursor", "type", "user_id", "x", "%ff", ""])
_values = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=20).map(lambda text: quote(text).encode()),
    st.sampled_from([b"30d", b"daily", b"UTC", b"5", b"workflow_run", b"%", b"%zz", b"+"]),
)


@pytest.fixture
def app(folder: Any) -> Any:
    """Return an application, because it takes as long to make one as to answer forty queries."""
    folder.publish()
    return folder.app()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    endpoint=st.sampled_from(ENDPOINTS),
    pairs=st.lists(st.tuples(_names, _values, st.sampled_from([b"=", b"", b"=="])), max_size=6),
)
def test_any_query_is_answered(
    folder: Any, app: Any, send: Any, endpoint: str, pairs: list[tuple[str, bytes, bytes]]
) -> None:
    """Any query, whatever its bytes, gets 200, or 422 with the names of fields and no values."""
    query = b"&".join(name.encode() + middle + value for name, value, middle in pairs)
    reply = send(app, f"/api/v1/usage/{endpoint}", query, [("authorization", f"Bearer {folder.token}")])
    assert reply.status in {200, 422}
