"""The directory: who is a member of which workspace, on which plan, with which API keys.

Defines the rows of the JSON Lines files in `directory/` of the data folder: the pipeline and the service read them by
the same rules. Reads one file at a time; writes nothing.

    members.jsonl         a user's place in a workspace; exported by the product
    accounts.jsonl        a user's plan; exported by the product
    api_keys.jsonl        API keys; exported by the product
    api_keys.local.jsonl  API keys made by `usage keys`

UUIDs may be in any case, so readers lower-case them before they compare. If rows repeat a key, the last one counts.
A file that breaks a rule is a `DirectoryError`. A file without rows breaks none, but `no_rows` has the
error for whoever needs rows.
"""

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

import msgspec

from pipeline.contract import formats
from pipeline.contract.calendar import utc_day
from pipeline.contract.files import open_file, why
from pipeline.contract.text import printable

MEMBERS: Final = "members.jsonl"
ACCOUNTS: Final = "accounts.jsonl"
PRODUCT_KEYS: Final = "api_keys.jsonl"
LOCAL_KEYS: Final = "api_keys.local.jsonl"

# An API key is the prefix followed by this many base62 characters.
KEY_PREFIX: Final = "op_live_"
KEY_CHARACTERS: Final = 32
READ_SCOPE: Final = "workspace:read"

Role = Literal["admin", "editor", "viewer"]
MemberStatus = Literal["active", "removed"]
Renewal = Literal["monthly", "one_time"]
_ALLOWED: Final = {"role": get_args(Role), "status": get_args(MemberStatus), "credits_renewal": get_args(Renewal)}

_Uuid = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\\Z")]
_Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}\\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

_UTF8_BOM: Final = b"\xef\xbb\xbf"
_LONGEST_MESSAGE: Final = 1_000  # characters: the fault of a line may quote a text of any length

_instant: Final = lru_cache(maxsize=1 << 14)(formats.instant)  # every summary asks for an account's anchor


class DirectoryError(Exception):
    """Raised when a directory file cannot be read or a line breaks a rule; the message names the file and the line.

    The message is one line that a terminal can show: what it quotes has invisible characters as escapes.

    Args:
        file: its path or address.
        fault: what follows that in the message.
    """

    def __init__(self, file: Path | str, fault: str) -> None:
        shown = printable(f"{file}{fault}")
        super().__init__(shown if len(shown) <= _LONGEST_MESSAGE else f"{shown[:_LONGEST_MESSAGE]}…")
        self._file, self._fault = file, fault

    def of(self, folder: str) -> "DirectoryError":
        """Return the same error of the file in the folder with this address, of which it is a copy; itself without."""
        return DirectoryError(f"{folder}/{Path(self._file).name}", self._fault) if folder else self


class Member(msgspec.Struct, frozen=True):
    """One row of `members.jsonl`: a user's place in one workspace."""

    workspace_id: _Uuid
    user_id: _Uuid
    name: str
    role: Role
    status: MemberStatus


class Account(msgspec.Struct, frozen=True):
    """One row of `accounts.jsonl`: a user's plan.

    Without a quota, credits are not limited; without an anchor, billing periods are calendar months in UTC. If credits
    are renewed `one_time`, there is one period without an end, from the anchor or else from the first event on.
    """

    user_id: _Uuid
    subject: str | None = None  # what session tokens call the user in `sub`
    quota: _Count | None = None  # credits per billing period
    period_anchor: str | None = None  # RFC 3339
    credits_renewal: Renewal | None = None  # None: monthly

    def __post_init__(self) -> None:
        try:
            utc_day(self.anchor or 0)
        except ValueError:
            raise ValueError("period_anchor is not an RFC 3339 date-time of the years 1 to 9999 in UTC") from None

    @property
    def anchor(self) -> int | None:
        """Return `period_anchor` in microseconds UTC."""
        return None if self.period_anchor is None else _instant(self.period_anchor)

    @property
    def renews(self) -> bool:
        """Return whether a new billing period begins every month."""
        return self.credits_renewal != "one_time"


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

# The local keys come last, so that of a repeated id they count.
FILES: Final[dict[str, type[Any]]] = {
    MEMBERS: Member,
    ACCOUNTS: Account,
    PRODUCT_KEYS: ApiKey,
    LOCAL_KEYS: ApiKey,
}
EXPORTS: Final = (MEMBERS, ACCOUNTS, PRODUCT_KEYS)  # what the product exports


def sha256_hex(secret: str) -> str:
    """Return the SHA-256 of an API key or a token as 64 lower-case hex digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Return the rows of one file in order; a missing file has none. A byte order mark and blank lines are skipped.

    Raises:
        DirectoryError: the file cannot be read (its cause is then the OSError), or a line breaks a rule.
    """
    try:
        with open_file(path) as file:
            content = file.read().removeprefix(_UTF8_BOM)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DirectoryError(path, f" cannot be read: {why(error)}") from error
    try:
        if not content.isascii():
            content.decode()  # the decoder of JSON skips the texts of unknown fields, whatever they hold
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise DirectoryError(path, f", line {number}: is not UTF-8") from None
    decoder = msgspec.json.Decoder(kind)
    rows = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(decoder.decode(line))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise DirectoryError(path, f", line {number}: {_fault(error)}") from None
    return rows


def _fault(error: Exception) -> str:
    """Return what is wrong with a line; of a value that is none of a list, msgspec does not say the list."""
    text = str(error)
    for field, allowed in _ALLOWED.items():
        if text.startswith("Invalid enum value") and text.endswith(f"`$.{field}`"):
            return f"{text}; it must be one of {', '.join(allowed)}"
    return text


def no_rows(path: Path, more: str = "") -> DirectoryError:
    """Return what is to be said of a file without rows, and more."""
    what = "has no rows" if os.path.exists(path) else "is missing"  # noqa: PTH110 - never raises
    return DirectoryError(path, f" {what}{more}")


def problems(directory: Path, folder: str = "", *, expected: bool = True) -> list[str]:
    """Return what is wrong with the files of a directory: broken files, and exports without rows, in a line each.

    Args:
        directory: the folder of the files.
        folder: the address of the folder that the files are copies of; empty if they are none.
        expected: whether it is a problem if none of the files is there.
    """
    try:
        names = {path.name for path in directory.iterdir()}
    except FileNotFoundError:
        names = set()
    except OSError:
        names = set(FILES)  # each of which will say why it cannot be read
    if names.isdisjoint(FILES):
        fault = f" has neither {MEMBERS} nor {ACCOUNTS} nor {PRODUCT_KEYS}, which the product exports"
        return [f"{DirectoryError(folder or directory, fault)}; without them nobody may read"] if expected else []
    found: list[tuple[DirectoryError, str]] = []
    for name, kind in FILES.items():
        path = directory / name
        try:
            rows = read_rows(path, kind)
        except DirectoryError as error:
            found.append((error, "; the service refuses the file until it is mended"))
            continue
        if not rows and name in EXPORTS:
            found.append((no_rows(path), "; export it: a running service keeps the rows that it has read before"))
    return [f"{error.of(folder)}{more}" for error, more in found]
