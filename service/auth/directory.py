"""Who is who: workspaces' members, users' plans and API keys.

Reads `directory/members.jsonl`, `accounts.jsonl`, `api_keys.jsonl` and `api_keys.local.jsonl` (the keys that
`usage keys` makes, merged after the product's) of the data folder. A file that changed is read again at most once a
second; a broken one is refused with a log line, and what it said before stays in force.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

import msgspec
import structlog

from pipeline.contract import formats
from pipeline.contract.calendar import utc_day
from pipeline.contract.tables import DIRECTORY
from pipeline.keys import ACCOUNTS, LOCAL_KEYS, MEMBERS, PRODUCT_KEYS

_CHECK_INTERVAL_SECONDS: Final = 1.0
_UTF8_BOM: Final = b"\xef\xbb\xbf"

_log: Final = structlog.stdlib.get_logger("service.auth.directory")

_Uuid = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Identity = tuple[int, int, int, int] | None  # of a file; None: not there


_instant: Final = lru_cache(maxsize=1 << 14)(formats.instant)  # an anchor is read for every summary


class DirectoryError(Exception):
    """Raised when a directory file cannot be read; the text names the file and the line."""


class Member(msgspec.Struct, frozen=True):
    """One row of `members.jsonl`."""

    workspace_id: _Uuid
    user_id: _Uuid
    name: str
    role: Literal["admin", "editor", "viewer"]
    status: Literal["active", "removed"]


class Account(msgspec.Struct, frozen=True):
    """One row of `accounts.jsonl`."""

    user_id: _Uuid
    subject: str | None = None
    quota: _Count | None = None
    period_anchor: str | None = None  # RFC 3339

    def __post_init__(self) -> None:
        try:
            utc_day(self.anchor or 0)
        except ValueError:
            raise ValueError("period_anchor is no RFC 3339 date-time of the years 1 to 9999 in UTC") from None

    @property
    def anchor(self) -> int | None:
        """Return `period_anchor` in microseconds UTC."""
        return None if self.period_anchor is None else _instant(self.period_anchor)


class ApiKey(msgspec.Struct, frozen=True):
    """One row of `api_keys.jsonl` or `api_keys.local.jsonl`."""

    id: str
    key_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}\\Z")]
    workspace_id: _Uuid
    user_id: _Uuid
    scopes: tuple[str, ...]
    rate_limit_per_min: _Count | None = None
    revoked_at: Any = None  # anything but null revokes, also what is no date


_Row = TypeVar("_Row", Member, Account, ApiKey)


class Directory(NamedTuple):
    """What the files said at one moment; ids are lower-case."""

    members: dict[tuple[str, str], Member]
    accounts: dict[str, Account]
    keys: dict[str, ApiKey]
    workspaces: dict[str, tuple[str, ...]]
    rate_limits: dict[str | None, int]  # answers a minute, by the ids of the keys that are limited
    subjects: dict[str, str]  # users by what a session token calls them

    def is_active(self, workspace_id: str, user_id: str) -> bool:
        """Return whether a user is an active member of a workspace."""
        member = self.members.get((workspace_id, user_id))
        return member is not None and member.status == "active"

    def workspaces_of(self, user_id: str) -> tuple[str, ...]:
        """Return every workspace that lists a user, active or removed."""
        return self.workspaces.get(user_id, ())

    def active_workspaces_of(self, user_id: str) -> tuple[str, ...]:
        """Return every workspace that a user is an active member of."""
        return tuple(listed for listed in self.workspaces_of(user_id) if self.is_active(listed, user_id))


def build(members: Iterable[Member], accounts: Iterable[Account], keys: Iterable[ApiKey]) -> Directory:
    """Index the rows; of a repeated key the last one counts."""
    by_member = {(row.workspace_id.lower(), row.user_id.lower()): row for row in members}
    by_user = {row.user_id.lower(): row for row in accounts}
    by_id = {row.id: row for row in keys}
    listed: dict[str, set[str]] = {}
    for workspace_id, user_id in by_member:
        listed.setdefault(user_id, set()).add(workspace_id)
    return Directory(
        members=by_member,
        accounts=by_user,
        keys={row.key_sha256.lower(): row for row in by_id.values()},
        workspaces={user_id: tuple(sorted(ids)) for user_id, ids in listed.items()},
        rate_limits={row.id: row.rate_limit_per_min for row in by_id.values() if row.rate_limit_per_min is not None},
        subjects={row.subject: user_id for user_id, row in by_user.items() if row.subject is not None},
    )


def read_rows(path: Path, kind: type[_Row]) -> list[_Row]:
    """Return the rows of one file, an absent file counting as empty.

    Raises:
        DirectoryError: the file cannot be read or a line is not what it has to be.
    """
    decoder = msgspec.json.Decoder(kind)
    rows = []
    try:
        lines = path.read_bytes().removeprefix(_UTF8_BOM).split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DirectoryError(f"{path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(decoder.decode(line))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise DirectoryError(f"{path}, line {number}: {error}") from None
    return rows


class DirectoryReader:
    """The directory in force, kept fresh.

    Raises:
        DirectoryError: a file is broken and there is no good one yet, at construction only.
    """

    def __init__(self, data_dir: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        folder = data_dir / DIRECTORY
        self._kinds: dict[Path, type[Member | Account | ApiKey]] = {
            folder / MEMBERS: Member,
            folder / ACCOUNTS: Account,
            folder / PRODUCT_KEYS: ApiKey,
            folder / LOCAL_KEYS: ApiKey,
        }
        self._monotonic = monotonic
        self._checked = monotonic()
        self._identities: dict[Path, Identity] = {}
        self._rows: dict[Path, Sequence[Any]] = {}
        for path, kind in self._kinds.items():
            self._identities[path] = file_identity(path)
            self._rows[path] = read_rows(path, kind)
        self._directory = self._build()

    def current(self) -> Directory:
        """Return the directory in force, read again where a file changed."""
        now = self._monotonic()
        if now - self._checked >= _CHECK_INTERVAL_SECONDS:
            self._checked = now
            changed = [path for path in self._kinds if self._refresh(path)]
            if changed:
                self._directory = self._build()
        return self._directory

    def _refresh(self, path: Path) -> bool:
        identity = file_identity(path)  # before reading: a change meanwhile is seen the next time
        if identity == self._identities[path]:
            return False
        self._identities[path] = identity
        try:
            self._rows[path] = read_rows(path, self._kinds[path])
        except DirectoryError as error:
            _log.error("directory file refused, the last good one stays in force", reason=str(error))
            if isinstance(error.__cause__, OSError):  # the same file may be readable the next time
                self._identities[path] = None
            return False
        return True

    def _build(self) -> Directory:
        members, accounts, product_keys, local_keys = self._rows.values()
        return build(members, accounts, [*product_keys, *local_keys])


def file_identity(path: Path) -> Identity:
    """Return what changes whenever a file does."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - runs for four files a second, under load
    except OSError:
        return None
    # The change time too: a copy may carry an old modification time, and a change of permissions touches nothing else.
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_size
