"""API keys made here: created, listed and revoked in a file of their own beside the product's export.

Reads `directory/members.jsonl` and `directory/api_keys.jsonl`; writes `directory/api_keys.local.jsonl`, replaced whole
by rename. A key itself is never stored: its row holds the SHA-256.

    KeysError
    ├── NotAMemberError       the user is no active member of the workspace
    ├── UnknownKeyError       no key made here has that id
    └── BrokenDirectoryError  a line of a directory file is not what it has to be
"""

import hashlib
import os
import secrets
import string
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec
from filelock import FileLock

from pipeline.contract.tables import DIRECTORY
from pipeline.storage.tombstones import Tombstones, hashed

MEMBERS: Final = "members.jsonl"
ACCOUNTS: Final = "accounts.jsonl"
PRODUCT_KEYS: Final = "api_keys.jsonl"
LOCAL_KEYS: Final = "api_keys.local.jsonl"

PREFIX: Final = "op_live_"
READ_SCOPE: Final = "workspace:read"

Role = Literal["admin", "editor", "viewer"]

_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_CHARACTERS: Final = 32


class KeysError(Exception):
    """Raised when a command on keys cannot be carried out; its text is for the person who gave it."""


class NotAMemberError(KeysError):
    """Raised when a key is asked for a user who is no active member of the workspace."""


class UnknownKeyError(KeysError):
    """Raised when no key made here has the given id."""


class BrokenDirectoryError(KeysError):
    """Raised when a line of a directory file cannot be read, since half a directory would say wrong things."""


class Member(msgspec.Struct, frozen=True):
    """One row of `members.jsonl`: a user's place in one workspace."""

    workspace_id: str
    user_id: str
    name: str
    role: Role
    status: Literal["active", "removed"]


class Account(msgspec.Struct, frozen=True):
    """One row of `accounts.jsonl`: a user's plan; `period_anchor` is RFC 3339."""

    user_id: str
    subject: str | None
    quota: int | None
    period_anchor: str | None


class ApiKey(msgspec.Struct, frozen=True):
    """One row of a key file; any `revoked_at` revokes, null limits do not limit."""

    id: str
    key_sha256: str
    workspace_id: str
    user_id: str
    scopes: list[str]
    rate_limit_per_min: int | None = None
    revoked_at: str | None = None


_Row = TypeVar("_Row", bound=msgspec.Struct)


def new_secret() -> str:
    """Return a fresh key: `op_live_` and 32 base62 characters, 190 bits that nobody can guess."""
    return PREFIX + "".join(secrets.choice(_BASE62) for _ in range(_SECRET_CHARACTERS))


def sha256(secret: str) -> str:
    """Return the hash under which a key is looked up."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create(
    data_dir: Path,
    *,
    key_id: str,
    workspace_id: str,
    user_id: str,
    scopes: Sequence[str] = (READ_SCOPE,),
    rate_limit_per_min: int | None = None,
) -> str:
    """Store a new key of an active member and return it: the only time that anyone sees it.

    Args:
        data_dir: the data folder.
        key_id: the id of the new key, unused so far.
        workspace_id: lower-case UUID that the key is bound to.
        user_id: lower-case UUID of the user it speaks for.
        scopes: what it may do; the usage routes need `workspace:read`.
        rate_limit_per_min: requests a minute, None for no limit.

    Raises:
        NotAMemberError: the user is no active member of the workspace.
        BrokenDirectoryError: a directory file cannot be read.
    """
    directory = data_dir / DIRECTORY
    if not _is_active_member(directory / MEMBERS, workspace_id, user_id):
        raise NotAMemberError(
            f"user {user_id} is no active member of workspace {workspace_id} according to {directory / MEMBERS}"
        )
    secret = new_secret()
    key = ApiKey(key_id, sha256(secret), workspace_id, user_id, sorted(set(scopes)), rate_limit_per_min)
    with _locked(directory):
        write_rows(directory / LOCAL_KEYS, [*_rows(directory / LOCAL_KEYS, ApiKey), key])
    return secret


def stored(data_dir: Path) -> list[tuple[str, ApiKey]]:
    """Return every key with the name of its file, the product's first; of a repeated id the last row."""
    found: dict[str, tuple[str, ApiKey]] = {}
    for name in (PRODUCT_KEYS, LOCAL_KEYS):
        for key in _rows(data_dir / DIRECTORY / name, ApiKey):
            found[key.id] = (name, key)
    return list(found.values())


def revoke(data_dir: Path, key_id: str, revoked_at: str) -> ApiKey:
    """Revoke a key made here and return its row; one already revoked keeps its first `revoked_at`.

    Raises:
        UnknownKeyError: it is not one of ours, perhaps one of the product's, whose export would bring it back.
    """
    directory = data_dir / DIRECTORY
    with _locked(directory):
        keys = {key.id: key for key in _rows(directory / LOCAL_KEYS, ApiKey)}
        if key_id not in keys:
            ours = any(key.id == key_id for key in _rows(directory / PRODUCT_KEYS, ApiKey))
            raise UnknownKeyError(
                f"key {key_id} comes from {PRODUCT_KEYS}: revoke it in the product" if ours else f"no key {key_id}"
            )
        if keys[key_id].revoked_at is None:
            keys[key_id] = msgspec.structs.replace(keys[key_id], revoked_at=revoked_at)
            write_rows(directory / LOCAL_KEYS, keys.values())
    return keys[key_id]


def forget(data_dir: Path, tombstones: Tombstones) -> int:
    """Remove the keys made here of forgotten users and workspaces; return how many there were.

    Raises:
        BrokenDirectoryError: the file cannot be read.
    """
    directory = data_dir / DIRECTORY
    if not forgotten(data_dir, tombstones):
        return 0
    with _locked(directory):
        keys = list(_rows(directory / LOCAL_KEYS, ApiKey))
        kept = [key for key in keys if not _is_forgotten(key, tombstones)]
        write_rows(directory / LOCAL_KEYS, kept)
    return len(keys) - len(kept)


def forgotten(data_dir: Path, tombstones: Tombstones) -> int:
    """Return how many keys made here are of forgotten users and workspaces.

    Raises:
        BrokenDirectoryError: the file cannot be read.
    """
    return sum(_is_forgotten(key, tombstones) for key in _rows(data_dir / DIRECTORY / LOCAL_KEYS, ApiKey))


def _is_forgotten(key: ApiKey, tombstones: Tombstones) -> bool:
    return tombstones.has_user(key.user_id.lower()) or hashed(key.workspace_id.lower()) in tombstones.workspaces


def write_rows(path: Path, rows: Iterable[msgspec.Struct]) -> None:
    """Replace a directory file: readers see the old rows or the new ones, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # For the owner's eyes: it holds no secret, yet says who may read what.
        unfinished.touch(0o600)
        with unfinished.open("wb") as file:
            file.write(msgspec.json.Encoder().encode_lines(rows))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _is_active_member(path: Path, workspace_id: str, user_id: str) -> bool:
    status = "removed"
    for member in _rows(path, Member):
        if (member.workspace_id.lower(), member.user_id.lower()) == (workspace_id, user_id):
            status = member.status
    return status == "active"


def _rows(path: Path, kind: type[_Row]) -> Iterator[_Row]:
    decoder = msgspec.json.Decoder(kind)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for number, line in enumerate(file, start=1):
            if line.isspace():
                continue
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BrokenDirectoryError(f"{path}, line {number}: {error}") from None


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one command at a time read and replace the file: two at once would lose a key."""
    directory.mkdir(parents=True, exist_ok=True)
    with FileLock(directory / f".{LOCAL_KEYS}.lock"):
        yield
