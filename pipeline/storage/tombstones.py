"""Tombstones: the users and workspaces that are forgotten, and the first UTC day that is kept.

Reads and appends `tombstones.jsonl`, which holds ids only as hashes. It is separate from the writer's state, because
losing the state is harmless (raw files are read again), whereas losing the tombstones brings forgotten data back.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final, Literal

import msgspec

from pipeline.storage import atomic
from pipeline.storage.digests import EMPTY, Digest
from pipeline.storage.spellings import ids_in_line

TOMBSTONES: Final = "tombstones.jsonl"

_is_hash: Final = re.compile(r"[0-9a-f]{64}").fullmatch
_is_day: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


class TombstonesError(RuntimeError):
    """Raised when the file is not as it was written: continuing would bring forgotten data back, or erase others."""


class Tombstone(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the file: a user or a workspace by the SHA-256 of its id, or the first UTC day that is kept.

    Raises:
        ValueError: `sha256` or `day` has the wrong form.
    """

    kind: Literal["user", "workspace", "floor"]
    at: str  # RFC 3339
    sha256: str = ""
    day: str = ""  # YYYY-MM-DD

    def __post_init__(self) -> None:
        """Refuse a tombstone that covers nothing."""
        if self.kind != "floor":
            if not _is_hash(self.sha256):
                raise ValueError("sha256 must be 64 hex digits in lower case")
        elif not (_is_day(self.day) and date.fromisoformat(self.day)):
            raise ValueError("day must be a date such as 2026-10-15")


class Tombstones(msgspec.Struct, frozen=True):
    """All tombstones of a data folder."""

    users: frozenset[str] = frozenset()  # hashes
    workspaces: frozenset[str] = frozenset()  # hashes
    floor: str = ""  # the first UTC day that is kept

    @classmethod
    def read(cls, root: Path, digest: Digest = EMPTY) -> "Tombstones":
        """Return the tombstones of a data folder; none if the file does not exist. The rest is as in `parse`."""
        path = root / TOMBSTONES
        return cls.parse(path.read_bytes() if path.exists() else b"", digest)

    @classmethod
    def parse(cls, content: bytes, digest: Digest = EMPTY) -> "Tombstones":
        """Return the tombstones of a file.

        Args:
            content: of the file.
            digest: of the bytes with which the file must begin, since lines are only added to it.

        Raises:
            TombstonesError: a line is not a tombstone, or earlier lines were changed or are gone.
        """
        found = []
        for number, line in enumerate(content.splitlines(), start=1):
            try:
                found.append(msgspec.json.decode(line, type=Tombstone))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise TombstonesError(
                    f"{TOMBSTONES}, line {number}: {error}; restore the file before you go on"
                ) from None
        if EMPTY.followed_by(content[: digest.size]) != digest:
            raise TombstonesError(
                f"{TOMBSTONES} is damaged: it does not begin with the tombstones that an earlier run found;"
                " restore the file before you go on"
            )
        return cls().with_more(found)

    def with_more(self, stones: Iterable[Tombstone]) -> "Tombstones":
        """Return these tombstones with more added; the latest floor counts."""
        more = list(stones)
        return Tombstones(
            self.users | {stone.sha256 for stone in more if stone.kind == "user"},
            self.workspaces | {stone.sha256 for stone in more if stone.kind == "workspace"},
            max([self.floor, *(stone.day for stone in more if stone.kind == "floor")]),
        )

    def since(self, before: "Tombstones") -> "Tombstones":
        """Return the tombstones that are not among the earlier ones; the floor only if it differs."""
        floor = "" if self.floor == before.floor else self.floor
        return Tombstones(self.users - before.users, self.workspaces - before.workspaces, floor)

    def cover(self, workspace_id: str, day: str) -> bool:
        """Return whether a workspace's UTC day (`YYYY-MM-DD`) is forgotten or expired."""
        return day < self.floor or (bool(self.workspaces) and hashed(workspace_id) in self.workspaces)

    def name(self, line: bytes) -> bool:
        """Return whether a line, valid or not, contains the id of a forgotten user or workspace, however spelled."""
        forgotten = self.users | self.workspaces
        return bool(forgotten) and any(hashed(id_) in forgotten for id_ in ids_in_line(line))

    def has_user(self, user_id: str | None) -> bool:
        """Return whether a user is forgotten."""
        return user_id is not None and hashed(user_id) in self.users


def append(root: Path, *tombstones: Tombstone) -> None:
    """Append tombstones to the file; they are on disk when this returns.

    Raises:
        OSError: the file cannot be written.
    """
    atomic.append(root / TOMBSTONES, encoded(tombstones), root)


def encoded(tombstones: Iterable[Tombstone]) -> bytes:
    """Return the lines of some tombstones."""
    return msgspec.json.Encoder().encode_lines(tombstones)


def hashed(id_: str) -> str:
    """Return the SHA-256 of an id, in hex; a UUID has too many possible values to be found by trying."""
    return hashlib.sha256(id_.encode()).hexdigest()
