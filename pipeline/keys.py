"""API keys made by `usage keys`: created, listed, revoked and forgotten, in a file beside the product's export.

Reads `directory/members.jsonl` and `directory/api_keys.jsonl`; writes `directory/api_keys.local.jsonl`, which is
replaced as a whole. The key itself is never stored: its row holds the SHA-256.

    KeysError
    ├── NotAMemberError  the user is not an active member of the workspace
    └── UnknownKeyError  no key made here has that id

A directory file that breaks a rule is a `DirectoryError` of `pipeline.contract.directory`.
"""

import secrets
import string
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from filelock import FileLock

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

_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase


class KeysError(Exception):
    """Raised when a command on keys cannot be carried out; the message is for the user."""


class NotAMemberError(KeysError):
    """Raised when a key is requested for a user who is not an active member of the workspace."""


class UnknownKeyError(KeysError):
    """Raised when no key made here has the given id."""


def new_secret() -> str:
    """Return a new random key: `op_live_` and 32 base62 characters, which are 190 bits."""
    return KEY_PREFIX + "".join(secrets.choice(_BASE62) for _ in range(KEY_CHARACTERS))


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
    if not _is_active_member(directory / MEMBERS, workspace_id, user_id):
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


def _is_active_member(path: Path, workspace_id: str, user_id: str) -> bool:
    status = "removed"
    for member in read_rows(path, Member):
        if (member.workspace_id.lower(), member.user_id.lower()) == (workspace_id, user_id):
            status = member.status
    return status == "active"


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let only one command at a time read and replace the file: two at once would lose a key."""
    lock = directory / f".{LOCAL_KEYS}.lock"
    with ownership.writing():
        ownership.make_folder(directory, directory.parent)
        ownership.make_file(lock, directory.parent)
        with FileLock(lock):
            yield
