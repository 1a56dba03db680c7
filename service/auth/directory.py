"""The directory as the service uses it: members, accounts and API keys, indexed and kept fresh.

Reads the four files of `pipeline.contract.directory` in `directory/` of the data folder. A file that changed is read
again within a second. A broken file is refused with a log line, and its last good rows stay in force. So is an export
that has no rows any more, because an export that failed looks like this: at once nobody could read anything.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from pipeline.contract.directory import EXPORTS, FILES, Account, ApiKey, DirectoryError, Member, no_rows, read_rows
from pipeline.contract.settings import DIRECTORY
from service.errors import UnavailableError

_log: Final = structlog.stdlib.get_logger("service.auth.directory")

# Of a file: modification time, change time, inode, size. None: there is no such file. Where that cannot be found out,
# the size is the number of the error, below zero.
Identity = tuple[int, int, int, int] | None


class Directory(NamedTuple):
    """The contents of the files at one moment. All ids are lower-case."""

    members: dict[tuple[str, str], Member]  # by workspace and user
    accounts: dict[str, Account]  # by user
    keys: dict[str, ApiKey]  # by the SHA-256 of the key
    workspaces: dict[str, tuple[str, ...]]  # by user: the workspaces that list them, sorted
    rate_limits: dict[str | None, int]  # answers a minute, by key id; keys without a limit are missing
    subjects: dict[str, str]  # user ids, by the user's name in session tokens

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
    """Index the rows. If a key is repeated, the last row counts."""
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


class DirectoryReader:
    """Keeps the directory of one data folder fresh.

    Args:
        data_dir: the data folder, or the folder in which copies of its files appear.
        monotonic: the clock that the interval is measured by, in seconds.
        check_interval_seconds: how long the files are trusted before the next look at them.
        copied_from: the address of the folder that the files are copies of, which others make as soon as they can.
            Until then, and while one of the first copies is broken, nobody's credential can be checked. Empty if they
            are no copies.

    Raises:
        DirectoryError: a file is broken. At construction only, when there are no good rows to keep.
    """

    def __init__(
        self,
        data_dir: Path,
        monotonic: Callable[[], float] = time.monotonic,
        check_interval_seconds: float = 1.0,
        *,
        copied_from: str = "",
    ) -> None:
        self._folder, self._copied_from = data_dir / DIRECTORY, copied_from
        self._kinds = {data_dir / DIRECTORY / name: kind for name, kind in FILES.items()}
        self._monotonic = monotonic
        self._check_interval_seconds = check_interval_seconds
        self._checked = monotonic()
        self._identities: dict[Path, Identity] = {}
        self._rows: dict[Path, Sequence[Any]] = {}
        self._refused: dict[Path, tuple[Identity, str]] = {}  # what was logged last of a file that is refused now
        self._directory: Directory | None = None
        self._problem = ""  # why there are no rows yet
        if copied_from:
            self._try_to_begin()
        else:
            self._begin()

    def _begin(self) -> None:
        for path, kind in self._kinds.items():
            self._identities[path] = file_identity(path)
            self._rows[path] = read_rows(path, kind)
        self._directory = self._build()

    def _try_to_begin(self) -> None:
        """Read all files, if there are copies of them."""
        try:
            if self._folder.exists():
                self._begin()
                self.warn_of_empty_files()
        except DirectoryError as error:
            reason = self._reason(error)
            if self._problem != reason:
                _log.error("directory file refused, and there is no good one yet", reason=reason)
            self._problem = reason

    def warn_of_empty_files(self) -> None:
        """Log which exports have no rows, as is right for the start of the service."""
        for path, rows in self._rows.items():
            if not rows and path.name in EXPORTS:
                _log.warning("directory file without rows", reason=self._reason(no_rows(path)))

    def current(self) -> Directory:
        """Return the directory in force. It is the same object until a file changes.

        Raises:
            UnavailableError: there are no copies of the files yet.
        """
        now = self._monotonic()
        if now - self._checked >= self._check_interval_seconds:
            self._checked = now
            if self._directory is None:
                self._try_to_begin()
                return self.current()
            changed = [path for path in self._kinds if self._refresh(path)]
            if changed:
                self._directory = self._build()
        if self._directory is None:
            raise UnavailableError
        return self._directory

    def _refresh(self, path: Path) -> bool:
        """Read a file again if it changed; return whether its rows were replaced."""
        identity = file_identity(path)  # before reading: a change during the read is noticed at the next look
        if identity == self._identities[path]:
            return False
        self._identities[path] = identity
        try:
            rows = self._read(path)
        except DirectoryError as error:
            reason = self._reason(error)
            if self._refused.get(path) != (identity, reason):
                _log.error("directory file refused, the last good one stays in force", reason=reason)
            self._refused[path] = identity, reason
            if isinstance(error.__cause__, OSError):  # the unchanged file may be readable at the next look
                self._identities[path] = None
            return False
        if self._refused.pop(path, None):
            _log.info("directory file accepted again", file=path.name)
        self._rows[path] = rows
        return True

    def _read(self, path: Path) -> Sequence[Any]:
        """Return the rows of a file that changed.

        Raises:
            DirectoryError: it is broken, or an export that had rows and has none.
        """
        rows = read_rows(path, self._kinds[path])
        if not rows and self._rows[path] and path.name in EXPORTS:
            raise no_rows(path, "; to remove the last row, mark it as removed or revoked, or restart")
        return rows

    def _reason(self, error: DirectoryError) -> str:
        """Return why a file is refused, with the name of that which it may be a copy of."""
        return str(error.of(self._copied_from))

    def _build(self) -> Directory:
        members, accounts, product_keys, local_keys = self._rows.values()
        # The local keys come last, so that they count if an id is repeated.
        return build(members, accounts, [*product_keys, *local_keys])


def file_identity(path: Path) -> Identity:
    """Return a value that changes whenever the file does."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - runs for four files a second, under load
    except FileNotFoundError:
        return None
    except OSError as error:
        return 0, 0, 0, -(error.errno or 1)
    # The change time too: a copy may carry an old modification time, and a change of permissions touches nothing else.
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_size
