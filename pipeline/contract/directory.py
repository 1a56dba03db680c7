"""The directory: who is a member of which workspace, on which plan, with which API keys.

Defines the rows of the JSON Lines files in `directory/` of the data folder: the pipeline and the service read them by
the same rules. Reads one file at a time; writes nothing.

    members.jsonl         a user's place in a workspace; exported by the product
    accounts.jsonl        a user's plan; exported by the product
    api_keys.jsonl        API keys; exported by the product
    api_keys.local.jsonl  API keys made by `usage keys`

UUIDs may be in any case, so readers lower-case them before they compare. If rows repeat a key, the last one counts.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from pipeline.contract import formats
from pipeline.contract.calendar import utc_day

MEMBERS: Final = "members.jsonl"
ACCOUNTS: Final = "accounts.jsonl"
PRODUCT_KEYS: Final = "api_keys.jsonl"
LOCAL_KEYS: Final = "api_keys.local.jsonl"

# An API key is the prefix followed by this many base62 characters.
KEY_PREFIX: Final = "op_live_"
KEY_CHARACTERS: Final = 32
READ_SCOPE: Final = "workspace:read"

Role = Literal["admin", "editor", "viewer"]

_Uuid = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\\Z")]
_Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}\\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

_UTF8_BOM: Final = b"\xef\xbb\xbf"

_instant: Final = lru_cache(maxsize=1 << 14)(formats.instant)  # every summary asks for an account's anchor


class DirectoryError(Exception):
    """Raised when a directory file cannot be read or a line breaks a rule; the message names the file and the line."""


class Member(msgspec.Struct, frozen=True):
    """One row of `members.jsonl`: a user's place in one workspace."""

    workspace_id: _Uuid
    user_id: _Uuid
    name: str
    role: Role
    status: Literal["active", "removed"]


class Account(msgspec.Struct, frozen=True):
    """One row of `accounts.jsonl`: a user's plan.

    Without a quota, credits are not limited; without an anchor, billing periods are calendar months in UTC.
    """

    user_id: _Uuid
    subject: str | None = None  # what session tokens call the user in `sub`
    quota: _Count | None = None  # credits per billing period
    period_anchor: str | None = None  # RFC 3339

    def __post_init__(self) -> None:
        try:
            utc_day(self.anchor or 0)
        except ValueError:
            raise ValueError("period_anchor is not an RFC 3339 date-time of the years 1 to 9999 in UTC") from None

    @property
    def anchor(self) -> int | None:
        """Return `period_anchor` in microseconds UTC."""
        return None if self.period_anchor is None else _instant(self.period_anchor)


class ApiKey(msgspec.Struct, frozen=True):
    """One row of a key file. The key itself is stored nowhere."""

    id: str
    key_sha256: _Sha256
    workspace_id: _Uuid
    user_id: _Uuid
    scopes: tuple[str, ...]
    rate_limit_per_min: _Count | None = None  # null: no limit
    revoked_at: Any = None  # anything but null revokes, even if it is not a date


Row = TypeVar("Row", Member, Account, ApiKey)


def sha256_hex(secret: str) -> str:
    """Return the SHA-256 of an API key or a token as 64 lower-case hex digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Return the rows of one file in order; a missing file has none. A byte order mark and blank lines are skipped.

    Raises:
        DirectoryError: the file cannot be read (its cause is then the OSError), or a line breaks a rule.
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
