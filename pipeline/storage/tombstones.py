"""What must not come back: forgotten users and workspaces, and the day before which nothing is kept.

Reads and appends `tombstones.jsonl`, which is apart from the writer's state: losing that is harmless, raw files are
read again; losing this is not, because then what was forgotten comes back. Ids are there as hashes only.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final, Literal

import msgspec

from pipeline.storage import atomic

TOMBSTONES: Final = "tombstones.jsonl"

_is_hash: Final = re.compile(r"[0-9a-f]{64}").fullmatch
# A UUID anywhere in a line, also where it follows on other hex digits.
_ids: Final = re.compile(rb"(?=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))", re.IGNORECASE).findall
_escapes: Final = re.compile(rb"\\u00([2-7][0-9a-f])", re.IGNORECASE)
_is_day: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


class TombstonesError(RuntimeError):
    """Raised when the file cannot be understood: to go on would bring back what was forgotten."""


class Tombstone(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the file: a user or a workspace by the SHA-256 of its id, or the first UTC day that is kept."""

    kind: Literal["user", "workspace", "floor"]
    at: str  # RFC 3339
    sha256: str = ""
    day: str = ""  # YYYY-MM-DD

    def __post_init__(self) -> None:
        """Refuse what would keep nothing away."""
        if self.kind != "floor":
            if not _is_hash(self.sha256):
                raise ValueError("sha256 must be 64 hex digits in lower case")
        elif not (_is_day(self.day) and date.fromisoformat(self.day)):
            raise ValueError("day must be a date such as 2026-10-15")


class Tombstones(msgspec.Struct, frozen=True):
    """All of them."""

    users: frozenset[str] = frozenset()  # hashes
    workspaces: frozenset[str] = frozenset()  # hashes
    floor: str = ""  # the first UTC day that is kept

    @classmethod
    def read(cls, root: Path) -> "Tombstones":
        """Return those of a data folder.

        Raises:
            TombstonesError: a line is none.
        """
        path = root / TOMBSTONES
        lines = path.read_bytes().splitlines() if path.exists() else []
        found = []
        for number, line in enumerate(lines, start=1):
            try:
                found.append(msgspec.json.decode(line, type=Tombstone))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise TombstonesError(
                    f"{TOMBSTONES}, line {number}: {error}; restore the file before you go on"
                ) from None
        return cls().with_more(found)

    def with_more(self, stones: Iterable[Tombstone]) -> "Tombstones":
        """Return these and more of them; of floors the highest counts."""
        more = list(stones)
        return Tombstones(
            self.users | {stone.sha256 for stone in more if stone.kind == "user"},
            self.workspaces | {stone.sha256 for stone in more if stone.kind == "workspace"},
            max([self.floor, *(stone.day for stone in more if stone.kind == "floor")]),
        )

    def since(self, before: "Tombstones") -> "Tombstones":
        """Return what is not among those that there were before."""
        floor = "" if self.floor == before.floor else self.floor
        return Tombstones(self.users - before.users, self.workspaces - before.workspaces, floor)

    def cover(self, workspace_id: str, day: str) -> bool:
        """Return whether a workspace's UTC day is not kept."""
        return day < self.floor or (bool(self.workspaces) and hashed(workspace_id) in self.workspaces)

    def name(self, line: bytes) -> bool:
        """Return whether a line, good or not, has the id of a forgotten user or workspace in it, in any case."""
        forgotten = self.users | self.workspaces
        if not forgotten:
            return False
        if b"\\u" in line:  # JSON may write any character by its number
            line = _escapes.sub(lambda match: bytes.fromhex(match[1].decode()), line)
        return any(hashed(found.decode().lower()) in forgotten for found in set(_ids(line)))

    def has_user(self, user_id: str | None) -> bool:
        """Return whether a user is forgotten."""
        return user_id is not None and hashed(user_id) in self.users


def append(root: Path, *tombstones: Tombstone) -> None:
    """Add lines, which are on the disk when this returns.

    Raises:
        OSError: they cannot be written.
    """
    atomic.append(root / TOMBSTONES, msgspec.json.Encoder().encode_lines(tombstones))


def hashed(id_: str) -> str:
    """Return what stands for an id: a UUID is too long a number to be found by trying."""
    return hashlib.sha256(id_.encode()).hexdigest()
