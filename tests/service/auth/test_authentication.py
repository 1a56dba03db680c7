"""Authentication through the whole front: API keys, scopes and workspaces, and the refusals 401 and 403."""

from typing import Any

import pytest

SUMMARY = "/api/v1/usage/summary"
ROUTES = (SUMMARY, "/api/v1/usage/by-language", "/api/v1/usage/activity", "/api/v1/auth/whoami")


def _code(reply: Any) -> tuple[int, str]:
    return reply.status, reply.json()["error"]["code"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], "UNAUTHENTICATED"),
        ([("Authorization", "")], "UNAUTHENTICATED"),
        ([("Authorization", "Bearer")], "UNAUTHENTICATED"),
        ([("Authorization", "Bearer  ")], "UNAUTHENTICATED"),
        ([("Authorization", "Basic dTpw")], "UNAUTHENTICATED"),
        ([("Authorization", "op_live_" + "0" * 32)], "UNAUTHENTICATED"),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer b")], "UNAUTHENTICATED"),
        ([("Authorization", "Bearer op_live_" + "z" * 32)], "INVALID_API_KEY"),
        ([("Authorization", "Bearer op_live_" + "0" * 31)], "INVALID_API_KEY"),
        ([("Authorization", "Bearer op_live_" + "0" * 32 + " ")], None),
        ([("Authorization", "Bearer op_live_" + "0" * 33)], "INVALID_API_KEY"),
        ([("Authorization", "Bearer op_live_" + "é" * 32)], "INVALID_API_KEY"),
        ([("Authorization", "Bearer op_test_" + "0" * 32)], "INVALID_API_KEY"),
        ([("Authorization", "Bearer op_")], "INVALID_API_KEY"),
        ([("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")], "INVALID_TOKEN"),
        ([("Authorization", "Bearer OP_LIVE_" + "0" * 32)], "INVALID_TOKEN"),
        ([("Authorization", "Bearer a b")], "INVALID_TOKEN"),
    ],
)
def test_credentials(folder: Any, send: Any, route: str, headers: list[tuple[str, str]], code: str | None) -> None:
    """A missing token is UNAUTHENTICATED, a bad `op_…` INVALID_API_KEY, the rest INVALID_TOKEN; a 401 names Bearer."""
    folder.publish()
    reply = send(folder.app(), route, headers=headers)
    if code is None:
        assert reply.status == 200
    else:
        assert _code(reply) == (401, code)
        assert reply.headers["www-authenticate"] == "Bearer"


def test_scheme_in_any_case(folder: Any, send: Any) -> None:
    """The name of the scheme may be in any case."""
    folder.publish()
    assert send(folder.app(), SUMMARY, headers=[("AUTHORIZATION", f"bearer  {folder.token}")]).status == 200


def test_unknown_and_revoked_keys_look_alike(folder: Any, send: Any) -> None:
    """A revoked key, whatever its `revoked_at` is, is refused in the same words as an unknown key."""
    folder.publish()
    bodies = []
    for token in (folder.key(revoked_at="2026-01-01T00:00:00Z"), folder.key(revoked_at=""), "op_live_" + "q" * 32):
        reply = send(folder.app(), SUMMARY, headers=[("Authorization", f"Bearer {token}")])
        assert _code(reply) == (401, "INVALID_API_KEY")
        bodies.append(reply.json()["error"])
    assert bodies[0] == bodies[1] == bodies[2]


@pytest.mark.parametrize("route", ROUTES)
def test_key_of_no_active_member(folder: Any, send: Any, route: str) -> None:
    """A key whose user was removed from its workspace, or never belonged to it, is forbidden."""
    folder.publish()
    folder.member(folder.workspace, folder.other_user, status="removed")
    for token in (folder.key(user_id=folder.other_user), folder.key(workspace_id=folder.other_workspace)):
        assert _code(send(folder.app(), route, headers=[("Authorization", f"Bearer {token}")])) == (403, "FORBIDDEN")


def test_scope(folder: Any, send: Any) -> None:
    """Usage needs the scope workspace:read; whoami takes any valid key and shows its scopes, sorted and unique."""
    folder.publish()
    token = folder.key(scopes=["voices:read", "catalog:read", "voices:read"])
    headers = [("Authorization", f"Bearer {token}")]
    assert _code(send(folder.app(), SUMMARY, headers=headers)) == (403, "FORBIDDEN")
    whoami = send(folder.app(), "/api/v1/auth/whoami", headers=headers).json()
    assert whoami["data"] == {
        "auth_kind": "api_key",
        "user_id": folder.user,
        "workspace_id": folder.workspace,
        "api_key_id": "key_1",
        "scopes": ["catalog:read", "voices:read"],
    }


def test_workspace_header(folder: Any) -> None:
    """X-Workspace-Id is optional; a workspace other than the key's is forbidden, whether it exists or not."""
    folder.publish()
    folder.member(folder.other_workspace, folder.user)
    assert folder.ask(SUMMARY, X_Workspace_Id=folder.workspace.upper()).status == 200
    existing = folder.ask(SUMMARY, X_Workspace_Id=folder.other_workspace)
    unknown = folder.ask(SUMMARY, X_Workspace_Id="e" * 8 + "-eeee-eeee-eeee-" + "e" * 12)
    assert _code(existing) == _code(unknown) == (403, "FORBIDDEN")
    assert existing.json()["error"] == unknown.json()["error"]


@pytest.mark.parametrize(
    "value", ["", "x", "a0000000000040008000000000000001", "{a0000000-0000-4000-8000-000000000001}"]
)
def test_malformed_workspace_header(folder: Any, value: str) -> None:
    """A malformed X-Workspace-Id is 422, together with the other faults."""
    folder.publish()
    reply = folder.ask(SUMMARY, "range=1d", X_Workspace_Id=value)
    assert _code(reply) == (422, "VALIDATION_ERROR")
    assert [detail["field"] for detail in reply.json()["error"]["details"]] == ["X-Workspace-Id", "range"]


def test_repeated_workspace_header(folder: Any, send: Any) -> None:
    """X-Workspace-Id given twice is 422."""
    folder.publish()
    header = ("X-Workspace-Id", folder.workspace)
    reply = send(folder.app(), SUMMARY, headers=[("Authorization", f"Bearer {folder.token}"), header, header])
    assert _code(reply) == (422, "VALIDATION_ERROR")


def test_order_of_checks(folder: Any, send: Any) -> None:
    """Route, credential, workspace and scope, parameters, user_id, tables: the first failing check decides."""
    bad, stranger = "range=1d", f"user_id={folder.other_user}"
    wrong_workspace = {"X_Workspace_Id": folder.other_workspace}
    activity = "/api/v1/usage/activity"
    assert send(folder.app(), "/api/v1/usage", bad.encode()).status == 404
    assert send(folder.app(), activity, bad.encode(), method="POST").status == 405
    assert send(folder.app(), activity, bad.encode()).status == 401
    assert folder.ask(activity, bad, **wrong_workspace).status == 403
    assert folder.ask(activity, f"{bad}&{stranger}").status == 422
    assert folder.ask(activity, stranger).status == 404
    assert folder.ask(activity).status == 503
    folder.publish()
    assert folder.ask(activity).status == 200
