"""Invent who acts in the sample logs: workspaces of Zipf-distributed size, their members, languages and resources.

Reads `names`; writes nothing. The same plan gives the same cast; only the API keys are random.
"""

import uuid
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import DAY_US, rfc3339
from pipeline.contract.directory import READ_SCOPE, Account, ApiKey, Member, Role, sha256_hex
from pipeline.keys import new_secret
from pipeline.sample.names import HOMES, LOCALES, THEMES, Home

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RESOURCES_PER_ACTION: Final = 8

_FEWEST_LOCALES: Final = 10
_MOST_LOCALES: Final = 25
_GUEST_SHARE: Final = 0.1
_REMOVED_SHARE: Final = 0.1
_NEVER: Final = np.iinfo(np.int64).max  # microseconds UTC
_QUOTAS: Final = (250_000, 20_000, None, 1_000_000, 0, 100_000)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much to invent: `events` distinct events in the last `days` times 24 hours before `now`."""

    now: int  # microseconds UTC
    events: int = 20_000
    workspaces: int = 8
    days: int = 90
    seed: int = 7


class Cast(msgspec.Struct, frozen=True):
    """All workspaces, members, locales and resources, in flat columns.

    Columns by member and by locale are grouped by workspace: those of workspace w are the `…_count[w]` entries from
    `first_…[w]` on.
    """

    workspace_ids: list[str]
    homes: list[Home]  # by workspace
    shares: Floats  # (workspaces,): of all events; they add up to 1
    first_member: Ints  # (workspaces,)
    member_count: Ints  # (workspaces,)
    removed_at: Ints  # (members,): microseconds UTC, `_NEVER` for active members
    users: list[msgspec.Raw]  # by member, as JSON
    ips: list[str]  # by member
    first_locale: Ints  # (workspaces,)
    locale_count: Ints  # (workspaces,)
    locales: list[str]
    resources: list[msgspec.Raw]  # as JSON: RESOURCES_PER_ACTION for each action of each workspace
    members: list[Member]
    accounts: list[Account]


def invent(plan: Plan) -> Cast:
    """Invent the cast of a plan; workspace 0 is the busiest, and the first member of each is its admin."""
    rng = np.random.default_rng([plan.seed, 0])
    shares = 1.0 / np.arange(1, plan.workspaces + 1)
    shares /= shares.sum()
    cast = Cast(
        workspace_ids=[_uuid(rng) for _ in range(plan.workspaces)],
        homes=[HOMES[w % len(HOMES)] for w in range(plan.workspaces)],
        shares=shares,
        first_member=np.zeros(plan.workspaces, np.int64),
        member_count=(3 + 40 * np.sqrt(shares) * rng.uniform(0.3, 0.7, plan.workspaces)).astype(np.int64),
        removed_at=np.zeros(0, np.int64),
        users=[],
        ips=[],
        first_locale=np.zeros(plan.workspaces, np.int64),
        locale_count=rng.integers(_FEWEST_LOCALES, _MOST_LOCALES + 1, plan.workspaces),
        locales=[],
        resources=[],
        members=[],
        accounts=[],
    )
    removed_at: list[int] = []
    for w in range(plan.workspaces):
        cast.first_member[w] = len(cast.members)
        cast.first_locale[w] = len(cast.locales)
        removed_at += _add_members(rng, plan, cast, w)
        cast.locales.extend(_languages(rng, int(cast.locale_count[w])))
        cast.resources.extend(_resources(rng))
    return msgspec.structs.replace(cast, removed_at=np.array(removed_at, np.int64))


def keys(plan: Plan, cast: Cast) -> tuple[str, list[ApiKey]]:
    """Return a usable key of the busiest workspace's admin, and the rows of all keys, some of which are unusable."""
    secret = new_secret()
    rows = [ApiKey("key_demo", sha256_hex(secret), cast.workspace_ids[0], cast.members[0].user_id, (READ_SCOPE,))]
    for w, first in enumerate(cast.first_member.tolist()):
        # Nobody has these keys: only their hashes are kept.
        revoked_at = rfc3339(plan.now - 3 * DAY_US) if w % 3 == 1 else None
        scopes = ("voices:read",) if w % 3 == 2 else ("voices:read", READ_SCOPE)  # noqa: PLR2004 - a third of them
        user_id = cast.members[first].user_id
        hidden = sha256_hex(new_secret())
        rows.append(ApiKey(f"key_{w:06d}", hidden, cast.workspace_ids[w], user_id, scopes, 600, revoked_at))
    return secret, rows


def _add_members(rng: np.random.Generator, plan: Plan, cast: Cast, w: int) -> list[int]:
    """Add the members of workspace w to the cast; return when each was removed, in microseconds UTC."""
    names = cast.homes[w].names.split(", ")
    earlier = len(cast.members)
    removed_at = []
    for place in range(int(cast.member_count[w])):
        admin = place == 0
        guest = cast.members[int(rng.integers(earlier))] if earlier and rng.random() < _GUEST_SHARE else None
        if guest and not admin and all(guest.user_id != member.user_id for member in cast.members[earlier:]):
            user_id, name = guest.user_id, guest.name
        else:
            user_id, name = _uuid(rng), names[place % len(names)]
            if admin or rng.random() >= _REMOVED_SHARE:  # a few users have no account
                cast.accounts.append(_account(rng, plan, user_id, len(cast.accounts)))
        removed = not admin and rng.random() < _REMOVED_SHARE
        removed_at.append(plan.now - int(rng.integers(plan.days * DAY_US)) if removed else _NEVER)
        role: Role = "admin" if admin else "editor" if rng.random() < 0.7 else "viewer"  # noqa: PLR2004 - most may edit
        member = Member(cast.workspace_ids[w], user_id, name, role, "removed" if removed else "active")
        cast.members.append(member)
        cast.users.append(msgspec.Raw(msgspec.json.encode({"id": user_id, "name": name})))
        cast.ips.append(_address(rng))
    return removed_at


def _account(rng: np.random.Generator, plan: Plan, user_id: str, number: int) -> Account:
    # Eight hours off midnight UTC, up to 900 days back, so that billing periods end in the middle of local days.
    anchor = plan.now - int(rng.integers(40, 900)) * DAY_US - DAY_US // 3
    period_anchor = None if number % 5 == 4 else rfc3339(anchor // 60_000_000 * 60_000_000)  # noqa: PLR2004 - a fifth
    return Account(user_id, f"user_{rng.bytes(8).hex()}", _QUOTAS[number % len(_QUOTAS)], period_anchor)


def _languages(rng: np.random.Generator, count: int) -> list[str]:
    """Draw distinct locales, most used first; `LOCALES` lists common ones first, and they tend to stay early."""
    known = LOCALES.split()
    order = np.argsort(np.arange(len(known)) * rng.uniform(0.2, 1.0, len(known)))
    return [known[i] for i in order[:count].tolist()]


def _resources(rng: np.random.Generator) -> list[msgspec.Raw]:
    """Draw the resources of one workspace, RESOURCES_PER_ACTION for each action; a few have no id and no name."""
    resources = []
    for action in ACTIONS:
        theme = THEMES[action]
        for name in rng.permutation(np.resize(theme.resource_names, RESOURCES_PER_ACTION)).tolist():
            resource_id = f"{theme.resource_type[:3]}_{rng.bytes(8).hex()}" if rng.random() > 0.05 else None  # noqa: PLR2004
            resource = {"type": theme.resource_type, "id": resource_id, "name": name if resource_id else None}
            resources.append(msgspec.Raw(msgspec.json.encode(resource)))
    return resources


def _address(rng: np.random.Generator) -> str:
    """Draw an IP address from the ranges reserved for documentation."""
    number = int(rng.integers(1, 255))
    return (
        f"2001:db8::{number:x}" if number % 5 == 0 else f"{('192.0.2', '198.51.100', '203.0.113')[number % 3]}.{number}"
    )


def _uuid(rng: np.random.Generator) -> str:
    return str(uuid.UUID(bytes=rng.bytes(16), version=4))
