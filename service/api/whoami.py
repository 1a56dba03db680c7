"""`/auth/whoami`: what a credential stands for.

Reads no tables.
"""

from typing import Literal

from service.api.envelope import Question
from service.api.parameters import NoParameters
from service.auth.authentication import Caller
from service.auth.directory import Directory


class Whoami(Question, frozen=True):
    """The caller, as the question and as the answer, which depends on nothing else."""

    auth_kind: Literal["api_key", "clerk"]
    user_id: str
    workspace_id: str | None
    api_key_id: str | None
    scopes: tuple[str, ...]


def ask(parameters: NoParameters, caller: Caller, directory: Directory, now: int) -> Whoami:  # noqa: ARG001 - all endpoints have the same signature
    """Return what the caller's credential stands for."""
    return Whoami(caller.auth_kind, caller.user_id, caller.workspace_id, caller.api_key_id, caller.scopes)
