"""`/auth/whoami`: what a credential stands for."""

from typing import Literal

from service.api.envelope import Question
from service.api.parameters import NoParameters
from service.auth.authentication import Caller
from service.auth.directory import Directory


class Whoami(Question, frozen=True):
    """The caller, as question and as answer: it depends on nothing else."""

    auth_kind: Literal["api_key", "clerk"]
    user_id: str
    workspace_id: str | None
    api_key_id: str | None
    scopes: tuple[str, ...]


def ask(parameters: NoParameters, caller: Caller, directory: Directory, now: int) -> Whoami:  # noqa: ARG001 - every endpoint is asked alike
    """Return what the caller's credential stands for."""
    return Whoami(caller.auth_kind, caller.user_id, caller.workspace_id, caller.api_key_id, caller.scopes)
