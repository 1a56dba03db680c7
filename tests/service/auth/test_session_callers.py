"""The user whom a session token identifies, and the workspace that its request is about."""

import json
import re
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.issuer import claims, forge, sign
from tests.support.service_folder import OTHER_USER, OTHER_WORKSPACE, USER, WORKSPACE, Reply, ServiceFolder, call
from tests.support.sessions import ACTIVITY, GOOD, RSA, SUMMARY, WHOAMI, ask, code, session_app


def test_user_by_subject(served: ServiceFolder) -> None:
    """`sub` is the account's `subject` or the user's id in any case; a replaced row's subject is unknown."""
    served.account(OTHER_USER, subject="user_old")
    served.account(OTHER_USER, subject="user_2x")
    served.member(WORKSPACE, OTHER_USER)
    app = session_app(served)

    def whoami(sub: str) -> Reply:
        return ask(app, sign(RSA, "rsa", claims(sub=sub)), WHOAMI)

    assert whoami("user_2x").json()["data"]["user_id"] == OTHER_USER
    assert whoami(USER.upper()).json()["data"]["user_id"] == USER
    for nobody in ("user_old", "USER_2X", "user_2x ", "user_2x\r\n", "{" + USER + "}", WORKSPACE, "x", "é\0"):
        assert code(whoami(nobody)) == (403, "FORBIDDEN"), nobody


def test_only_workspace(served: ServiceFolder) -> None:
    """Without the header, the answer is about the only workspace that the user is an active member of."""
    served.member(OTHER_WORKSPACE, USER, status="removed")
    app = session_app(served)
    assert ask(app, GOOD).json() == _like(ask(app, GOOD, X_Workspace_Id=WORKSPACE.upper()))
    served.member(WORKSPACE, USER, status="removed")
    assert code(ask(session_app(served), GOOD)) == (403, "FORBIDDEN")


def _like(reply: Reply) -> Any:
    """Return a body that compares equal whatever its request id is."""
    assert reply.status == 200
    body = reply.json()
    body["meta"]["request_id"] = _Any()
    return body


class _Any:
    def __eq__(self, other: object) -> bool:
        return re.fullmatch("[0-9A-Z]{26}", str(other)) is not None

    __hash__ = None  # type: ignore[assignment]


def test_several_workspaces(served: ServiceFolder) -> None:
    """With several memberships the header is required: 422, together with every other fault."""
    served.member(OTHER_WORKSPACE, USER)
    app = session_app(served)
    reply = ask(app, GOOD, query=b"range=1d")
    assert code(reply) == (422, "VALIDATION_ERROR")
    assert [detail["field"] for detail in reply.json()["error"]["details"]] == ["X-Workspace-Id", "range"]
    for workspace in (WORKSPACE, OTHER_WORKSPACE):
        assert ask(app, GOOD, X_Workspace_Id=workspace).status == 200


@pytest.mark.parametrize("path", [SUMMARY, WHOAMI])
@pytest.mark.parametrize("value", ["", "x", WORKSPACE + "\r\nX-A: b", WORKSPACE[:-1]])
def test_malformed_header(served: ServiceFolder, path: str, value: str) -> None:
    """A malformed X-Workspace-Id is 422 with one detail, however many workspaces the user has."""
    for _ in range(2):
        reply = ask(session_app(served), GOOD, path, X_Workspace_Id=value)
        assert code(reply) == (422, "VALIDATION_ERROR")
        assert [detail["field"] for detail in reply.json()["error"]["details"]] == ["X-Workspace-Id"]
        served.member(OTHER_WORKSPACE, USER)


@pytest.mark.parametrize("path", [SUMMARY, WHOAMI])
def test_workspaces_of_others(served: ServiceFolder, path: str) -> None:
    """A stranger's workspace, a former one and one that does not exist are forbidden in the same words."""
    left, unknown = "f" * 8 + WORKSPACE[8:], "e" * 8 + WORKSPACE[8:]
    served.member(OTHER_WORKSPACE, OTHER_USER)
    served.member(left, USER, status="removed")
    app = session_app(served)
    replies = [ask(app, GOOD, path, b"range=1d", X_Workspace_Id=named) for named in (OTHER_WORKSPACE, left, unknown)]
    assert {code(reply) for reply in replies} == {(403, "FORBIDDEN")}
    assert len({json.dumps(reply.json()["error"]) for reply in replies}) == 1


def test_whoami(served: ServiceFolder) -> None:
    """Whoami shows the header's workspace or null, one scope and no key, also before the first run."""
    (served.root / "published.json").unlink()
    served.member(OTHER_WORKSPACE, USER)
    app = session_app(served)
    expected = {
        "auth_kind": "clerk",
        "user_id": USER,
        "workspace_id": None,
        "api_key_id": None,
        "scopes": ["workspace:read"],
    }
    assert ask(app, GOOD, WHOAMI).json()["data"] == expected
    named = ask(app, GOOD, WHOAMI, X_Workspace_Id=OTHER_WORKSPACE.upper())
    assert named.json()["data"] == expected | {"workspace_id": OTHER_WORKSPACE}
    assert code(ask(app, GOOD)) == (422, "VALIDATION_ERROR")
    assert code(ask(app, GOOD, X_Workspace_Id=WORKSPACE)) == (503, "SERVICE_UNAVAILABLE")


def test_whoami_of_one_workspace(served: ServiceFolder) -> None:
    """Without the header, whoami's workspace is null, even if there is only one."""
    assert ask(session_app(served), GOOD, WHOAMI).json()["data"]["workspace_id"] is None


def test_order_of_checks(served: ServiceFolder) -> None:
    """Credential, membership, parameters, user_id: the first check that fails decides the answer."""
    app, bad, stranger = session_app(served), b"range=1d", f"user_id={OTHER_USER}".encode()
    other = {"X_Workspace_Id": OTHER_WORKSPACE}
    assert ask(app, forge({"alg": "none", "kid": "rsa"}, claims()), ACTIVITY, bad, **other).status == 401
    assert ask(app, GOOD, ACTIVITY, bad, **other).status == 403
    assert ask(app, GOOD, ACTIVITY, bad + b"&" + stranger).status == 422
    assert ask(app, GOOD, ACTIVITY, stranger).status == 404


def test_removed_member(served: ServiceFolder) -> None:
    """A remembered token is forbidden as soon as the directory no longer lists its user as an active member."""
    clock = ManualClock()
    app = served.app(monotonic=clock, USAGE_JWKS=str(served.root / "jwks.json"))
    assert ask(app, GOOD).status == 200
    served.member(WORKSPACE, USER, status="removed")
    clock.seconds += 1
    assert code(ask(app, GOOD)) == (403, "FORBIDDEN")


def test_several_headers(served: ServiceFolder) -> None:
    """Two Authorization headers are refused, even if they are equal."""
    header = ("Authorization", f"Bearer {GOOD}")
    assert code(call(session_app(served), SUMMARY, headers=[header, header])) == (401, "UNAUTHENTICATED")


def test_callers_do_not_share_tags(served: ServiceFolder) -> None:
    """Two users of one workspace get different tags for the same answer."""
    served.member(WORKSPACE, OTHER_USER)
    app = session_app(served)
    tags = {ask(app, sign(RSA, "rsa", claims(sub=sub))).headers["etag"] for sub in (USER, OTHER_USER)}
    assert len(tags) == 2
