"""API keys made by `usage keys`: created, listed, revoked and forgotten, in a file beside the product's export.

Reads `directory/members.jsonl` and `directory/api_keys.jsonl`; writes `directory/api_keys.local.jsonl`, which is
replaced as a whole. The key itself is never stored: its row holds the SHA-256.

    KeysError
    ├── NotAMemberError  there is no such active member of the workspace, or of any
    ├── AmbiguousError   several members have that name, or a member's workspace is not said and there are several
    └── UnknownKeyError  no key made here has that id

A directory file that breaks a rule is a `DirectoryError` of `pipeline.contract.directory`.
"""

import secrets
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from filelock import FileLock

from pipeline.contract import formats
from pipeline.contract.directory import (
    KEY_CHARACTERS,
    KEY_PREFIX,
    LOCAL_KEYS,
    MEMBERS,
    PRODUCT_KEYS,
    READ_SCOPE,
    ApiKey,
    Member,
    read_rows,
    sha256_hex,
)
from pipeline.storage import atomic, ownership
from pipeline.storage.tombstones import Tombstones, hashed

_CANDIDATES: Final = 10  # that the message of an error lists
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase


class KeysError(Exception):
    """Raised when a command on keys cannot be carried out; the message is for the user."""


class NotAMemberError(KeysError):
    """Raised when a key is requested for a user who is not an active member of the workspace."""


class AmbiguousError(KeysError):
    """Raised when a key is requested for one of several members or workspaces.

    Args:
        fault: what is ambiguous, and what to do about it.
        candidates: each in a few words, of which the message has the first.
    """

    def __init__(self, fault: str, candidates: Sequence[str]) -> None:
        more = len(candidates) - _CANDIDATES
        shown = [*candidates[:_CANDIDATES], *([f"and {more:,} more"] if more > 0 else [])]
        super().__init__(f"{fault}: {', '.join(shown)}")
        self.candidates = tuple(candidates)


class Owner(NamedTuple):
    """Whom a key belongs to: an active member of a workspace, both by their lower-case UUIDs."""

    workspace_id: str
    user_id: str


class UnknownKeyError(KeysError):
    """Raised when no key made here has the given id."""


def new_secret() -> str:
    """Return a new random key: `op_live_` and 32 base62 characters, which are 190 bits."""
    return KEY_PREFIX + "".join(secrets.choice(_BASE62) for _ in range(KEY_CHARACTERS))


def find_owner(directory: Path, user: str, workspace_id: str | None = None) -> Owner:
    """Return the active member that a person means.

    Args:
        directory: the folder of members.
        user: the UUID of the member, or the name. A name in other cases counts only where none is exactly the same.
        workspace_id: lower-case UUID of the workspace; None for the only one that the user is an active member of.

    Raises:
        NotAMemberError: there is no such active member.
        AmbiguousError: there are several such members, or workspaces.
        DirectoryError: the file of members cannot be read.
    """
    active = _active_members(directory / MEMBERS)
    there = {owner: name for owner, name in active.items() if workspace_id in {None, owner.workspace_id}}
    place = "any workspace" if workspace_id is None else f"workspace {workspace_id}"
    user_id = _user_id(user, there, place)
    found = sorted(owner for owner in there if owner.user_id == user_id)
    if not found:
        raise NotAMemberError(f"user {user_id} is not an active member of {place} according to {MEMBERS}")
    if len(found) > 1:
        workspaces = [owner.workspace_id for owner in found]
        raise AmbiguousError(f"user {user_id} is a member of {len(found):,} workspaces: name one of them", workspaces)
    return found[0]


def _user_id(user: str, names: Mapping[Owner, str], place: str) -> str:
    """Return the id of a user by that id, or by a name that only this user has among some active members.

    Raises:
        NotAMemberError: nobody has that name.
        AmbiguousError: several users have it.
    """
    with suppress(formats.FormatError):
        return formats.uuid(user)
    named = [owner for owner, name in names.items() if name == user]
    named = named or [owner for owner, name in names.items() if name.casefold() == user.casefold()]
    ids = sorted({owner.user_id for owner in named})
    if not ids:
        raise NotAMemberError(f"nobody named {user!r} is an active member of {place} according to {MEMBERS}")
    if len(ids) > 1:
        known = {owner.user_id: names[owner] for owner in named}
        candidates = [f"{id_} {known[id_]!r}" for id_ in ids]
        raise AmbiguousError(f"{len(ids):,} members are named {user!r}: name one by UUID", candidates)
    return ids[0]


def create(
    directory: Path,
    *,
    key_id: str,
    workspace_id: str,
    user_id: str,
    scopes: Sequence[str] = (READ_SCOPE,),
    rate_limit_per_min: int | None = None,
) -> str:
    """Store a new key of an active member and return it. It cannot be read again later.

    Args:
        directory: the folder of members and keys.
        key_id: the id of the new key, not used before.
        workspace_id: lower-case UUID of the workspace that the key may read.
        user_id: lower-case UUID of the member that the key acts for.
        scopes: what the key may do; the usage routes need `workspace:read`.
        rate_limit_per_min: requests a minute, None for no limit.

    Raises:
        NotAMemberError: the user is not an active member of the workspace.
        DirectoryError: the members file or the file of local keys cannot be read.
    """
    if (workspace_id, user_id) not in _active_members(directory / MEMBERS):
        raise NotAMemberError(
            f"user {user_id} is not an active member of workspace {workspace_id} according to {MEMBERS}"
        )
    secret = new_secret()
    key = ApiKey(key_id, sha256_hex(secret), workspace_id, user_id, tuple(sorted(set(scopes))), rate_limit_per_min)
    with _locked(directory):
        write_rows(directory / LOCAL_KEYS, [*read_rows(directory / LOCAL_KEYS, ApiKey), key])
    return secret


def stored(directory: Path) -> list[tuple[str, ApiKey]]:
    """Return every key with the name of its file, the product's keys first. If an id is repeated, the last row counts.

    Raises:
        DirectoryError: a key file cannot be read.
    """
    found: dict[str, tuple[str, ApiKey]] = {}
    for name in (PRODUCT_KEYS, LOCAL_KEYS):
        for key in read_rows(directory / name, ApiKey):
            found[key.id] = (name, key)
    return list(found.values())


def revoke(directory: Path, key_id: str, revoked_at: str) -> ApiKey:
    """Revoke a key made here and return its row. A key that is revoked already keeps its first `revoked_at`.

    Raises:
        UnknownKeyError: no key made here has this id. A key of the product cannot be revoked here, since the
            product's next export would bring it back.
        DirectoryError: a key file cannot be read.
    """
    with _locked(directory):
        keys = {key.id: key for key in read_rows(directory / LOCAL_KEYS, ApiKey)}
        if key_id not in keys:
            exported = any(key.id == key_id for key in read_rows(directory / PRODUCT_KEYS, ApiKey))
            raise UnknownKeyError(
                f"key {key_id} comes from {PRODUCT_KEYS}: revoke it in the product" if exported else f"no key {key_id}"
            )
        if keys[key_id].revoked_at is None:
            keys[key_id] = msgspec.structs.replace(keys[key_id], revoked_at=revoked_at)
        write_rows(directory / LOCAL_KEYS, keys.values())  # also if an earlier command did: its sync may have failed
    return keys[key_id]


def forget(directory: Path, tombstones: Tombstones) -> int:
    """Remove the local keys of forgotten users and workspaces; return how many were removed.

    Raises:
        DirectoryError: the file of local keys cannot be read.
    """
    if not forgotten(directory, tombstones):
        return 0
    with _locked(directory):
        keys = read_rows(directory / LOCAL_KEYS, ApiKey)
        kept = [key for key in keys if not _is_forgotten(key, tombstones)]
        write_rows(directory / LOCAL_KEYS, kept)
    return len(keys) - len(kept)


def forgotten(directory: Path, tombstones: Tombstones) -> int:
    """Return how many local keys belong to forgotten users and workspaces.

    Raises:
        DirectoryError: the file of local keys cannot be read.
    """
    return sum(_is_forgotten(key, tombstones) for key in read_rows(directory / LOCAL_KEYS, ApiKey))


def _is_forgotten(key: ApiKey, tombstones: Tombstones) -> bool:
    return tombstones.has_user(key.user_id.lower()) or hashed(key.workspace_id.lower()) in tombstones.workspaces


def write_rows(path: Path, rows: Iterable[msgspec.Struct]) -> None:
    """Replace a file in `directory/`. Readers see either the old rows or the new ones, also after a power cut."""
    root = path.parent.parent
    with ownership.writing():
        ownership.make_folder(path.parent, root)
        with atomic.replacing(path, root) as file:
            file.write(msgspec.json.Encoder().encode_lines(rows))


def _active_members(path: Path) -> dict[Owner, str]:
    """Return the names of the active members; of a repeated member the last row counts."""
    rows = {Owner(row.workspace_id.lower(), row.user_id.lower()): row for row in read_rows(path, Member)}
    return {owner: row.name for owner, row in rows.items() if row.status == "active"}


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let only one command at a time read and replace the file: two at once would lose a key."""
    lock = directory / f".{LOCAL_KEYS}.lock"
    with ownership.writing():
        ownership.make_folder(directory, directory.parent)
        ownership.make_file(lock, directory.parent)
        with FileLock(lock):
            yield
