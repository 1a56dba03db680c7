"""The workspaces and people of the logs, and their directory: members, accounts and API keys."""

import hashlib
import random
import string
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle import Directory

NAMES = (
    "Ada Lovelace",
    "Zoë Ångström",
    "Ольга Петрова",
    "王小明",
    "김서연",
    "محمد علي",
    "अनिता शर्मा",
    "Νίκος",
    'Robert "Bob" O\u2019Neil\\',
    "👩\u200d🚀 Sally",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "",
)
ROLES = ("admin", "editor", "viewer")


@dataclass(frozen=True)
class Person:
    """A user of the product."""

    id: str
    name: str


@dataclass(frozen=True)
class Cast:
    """Workspaces and people. The last workspace has no events. The first person is a member of every workspace."""

    workspaces: tuple[str, ...]
    people: tuple[Person, ...]

    @property
    def busy_workspaces(self) -> tuple[str, ...]:
        """The workspaces with events."""
        return self.workspaces[:-1]


def make_cast(rng: random.Random, workspaces: int = 5) -> Cast:
    """Draw workspaces and people. Ids are in lower case, as they are stored. Names are in different scripts."""
    return Cast(tuple(draw_uuid(rng) for _ in range(workspaces)), tuple(Person(draw_uuid(rng), name) for name in NAMES))


def draw_uuid(rng: random.Random) -> str:
    """Draw a UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128)))


def make_directory(rng: random.Random, cast: Cast) -> tuple[Directory, Mapping[tuple[str, str], str]]:
    """Return the directory's rows, and a valid key by (workspace, user) for every active member.

    People count from 0. Person 1 was removed everywhere. Person 2 is a member of one workspace. Person 3 was removed
    and came back. Person 4 is not in the directory. Person 5 has no account. The other accounts differ in quota and
    anchor. The credits of person 6 are not renewed.
    """
    members = []
    for index, workspace in enumerate(cast.workspaces):
        for number, person in enumerate(cast.people):
            if number == 4 or (number == 2 and index):
                continue
            row = {
                "workspace_id": workspace.upper() if number == 6 else workspace,
                "user_id": person.id,
                "name": person.name,
                "role": rng.choice(ROLES),
                "status": "removed" if number == 1 else "active",
            }
            members += [{**row, "status": "removed"}, row] if number == 3 else [row]
    accounts: list[dict[str, Any]] = [
        {"user_id": cast.people[0].id, "quota": 10**12, "period_anchor": "2025-01-31T17:45:12.345678+05:45"},
        {"user_id": cast.people[1].id, "quota": 0, "period_anchor": None},
        {
            "user_id": cast.people[2].id,
            "subject": "auth|two",
            "quota": 3,
            "period_anchor": "2099-12-31T23:59:59.999999Z",
        },
        {"user_id": cast.people[3].id, "quota": 1, "period_anchor": "2011-03-30T00:00:00Z"},
        {"user_id": cast.people[3].id.upper(), "quota": None, "period_anchor": "2024-02-29T12:00:00-03:30"},
        {"user_id": cast.people[6].id, "quota": 30_000, "period_anchor": None, "credits_renewal": "one_time"},
    ]
    tokens: dict[tuple[str, str], str] = {}
    keys = []
    for number, member in enumerate(members):
        token = "op_live_" + "".join(rng.choices(string.ascii_letters + string.digits, k=32))
        keys.append(
            {
                "id": draw_uuid(rng),
                "key_sha256": hashlib.sha256(token.encode()).hexdigest(),
                "workspace_id": member["workspace_id"],
                "user_id": member["user_id"],
                "scopes": ["workspace:read"] if number % 2 else ["workspace:write", "workspace:read", "workspace:read"],
                "rate_limit_per_min": None,
                "revoked_at": None,
            }
        )
        if member["status"] == "active":
            tokens[member["workspace_id"].lower(), member["user_id"]] = token
    keys.append({**keys[0], "id": draw_uuid(rng), "key_sha256": "0" * 64, "revoked_at": "2020-01-01T00:00:00Z"})
    return Directory(members, accounts, keys), tokens
