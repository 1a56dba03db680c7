"""Change data while services read them, and keep count of what they must contain.

Writes raw logs and the directory; runs `usage run`, `usage forget` and `usage retention`.
"""

import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.atomic_batches import batch_lines
from benchmarks.consistency_reader import WHOAMI, Client
from benchmarks.sites import Site
from pipeline.contract.calendar import utc_day
from pipeline.contract.directory import (
    ACCOUNTS,
    LOCAL_KEYS,
    MEMBERS,
    PRODUCT_KEYS,
    READ_SCOPE,
    Account,
    ApiKey,
    Member,
    sha256_hex,
)
from pipeline.contract.settings import DIRECTORY, RAW
from pipeline.keys import new_secret

WORKSPACES: Final = 6
# Indexes of the workspace whose users are erased one by one, and of the one that is erased as a whole.
USERS_ERASED, ERASED = 0, WORKSPACES - 1
USER: Final = str(uuid.UUID(int=1))
_FIRST_BATCHES: Final = 150  # loaded at the start, for each workspace
_MORE_BATCHES: Final = 5  # loaded in each step, for each workspace
_PICKED_UP_SECONDS: Final = 5.0  # the service must apply a change of the directory within this time
_USAGE: Final = str(Path(sys.executable).with_name("usage"))


class Churn:
    """Changes data with the same commands that an operator runs.

    Args:
        site: where the data lie.
        directory: whether the directory changes, too.

    Attributes:
        workspaces: their ids.
        keys: an API key of each workspace.
        batches: by workspace, the number of batches that are loaded now.
        commits: the number of commands that committed.
    """

    def __init__(self, site: Site, *, directory: bool = True) -> None:
        self._site, self._directory = site, directory
        self._names, self._floor = count(), utc_day(_now()) - timedelta(days=220)
        self._is_erased = False  # the workspace that is erased as a whole
        self.workspaces = [str(uuid.UUID(int=number)) for number in range(1, WORKSPACES + 1)]
        self.keys = [new_secret() for _ in self.workspaces]
        self.batches = dict.fromkeys(self.workspaces, 0)
        self.commits = 0
        self._write_rows(MEMBERS, [Member(w, USER, "Ada", "admin", "active") for w in self.workspaces])
        # Product keys, because erasing a workspace deletes its local keys, and its reader must go on querying.
        self._write_keys(list(zip(self.keys, self.workspaces, strict=True)), PRODUCT_KEYS)
        for workspace in self.workspaces:
            self._deliver([self._new_batch(workspace, USER, old=number % 3 == 0) for number in range(_FIRST_BATCHES)])
        self._usage("run")

    def step(self, number: int) -> None:
        """Load new batches; in some steps also redeliver, erase, raise the retention floor or rebuild."""
        batches = [self._new_batch(w, USER) for w in self._growing() for _ in range(_MORE_BATCHES)]
        guest = str(uuid.uuid4())
        batches += [self._new_batch(self.workspaces[USERS_ERASED], guest) for _ in range(_MORE_BATCHES)]
        self._deliver(batches, append=number % 3 == 0)
        if number % 4 == 3:  # noqa: PLR2004 - one step of four
            self._deliver(batches[:5])  # the same versions a second time
        self._usage("run")
        self._change_directory(number)
        if number % 2:
            self._usage("forget", "--user", guest, "--apply")
            self.batches[self.workspaces[USERS_ERASED]] -= _MORE_BATCHES
        if number % 4 == 2:  # noqa: PLR2004 - one step of four
            self._floor += timedelta(days=4)
            self._usage("retention", "--keep", f"{(utc_day(_now()) - self._floor).days + 1}d", "--apply")
            if number > 2 and not self._is_erased:  # noqa: PLR2004 - the second time
                self._is_erased = True
                self._usage("forget", "--workspace", self.workspaces[ERASED], "--apply")
                self.batches[self.workspaces[ERASED]] = 0
            self._usage("run", "--rebuild")

    def add_and_remove_key(self, urls: Sequence[str]) -> None:
        """Check that a new key works, and stops working when it is removed, within the promised time.

        Args:
            urls: of the services.

        Raises:
            AssertionError: a service did not notice in time.
        """
        if not self._directory:
            return
        secret = new_secret()
        clients = [Client(url, secret, _PICKED_UP_SECONDS) for url in urls]
        for keys, status in (([(secret, self.workspaces[1])], 200), ([], 401)):
            self._write_keys(keys, LOCAL_KEYS)
            until = time.monotonic() + _PICKED_UP_SECONDS
            while any(client.ask(WHOAMI, 401).status != status for client in clients):
                if time.monotonic() > until:
                    raise AssertionError(f"{_PICKED_UP_SECONDS} s after a key changed, its status is not {status}")
                time.sleep(0.1)
        for client in clients:
            client.close()

    def write_accounts(self, quota: int) -> None:
        """Write a valid accounts file."""
        self._write_rows(ACCOUNTS, [Account(USER, None, quota, None)])

    def _new_batch(self, workspace: str, user: str, *, old: bool = False) -> bytes:
        self.batches[workspace] += not old
        return b"".join(batch_lines(workspace, user, f"p{next(self._names)}", _now(), old=old))

    def _growing(self) -> Sequence[str]:
        return self.workspaces[:ERASED] if self._is_erased else self.workspaces

    def _deliver(self, batches: Sequence[bytes], *, append: bool = False) -> None:
        """Write batches to a new raw file, or append them to a growing one."""
        if append:
            self._site.append(f"{RAW}/live.jsonl", b"".join(batches))
        else:
            self._site.write(f"{RAW}/{next(self._names)}.jsonl", b"".join(batches))

    def _change_directory(self, number: int) -> None:
        if not self._directory:
            return
        if number % 3 == 2:  # noqa: PLR2004 - one step of three
            self._site.write(f"{DIRECTORY}/{ACCOUNTS}", b"{")  # rejected: the last valid file stays in force
        else:
            self.write_accounts(quota=number)

    def _write_keys(self, keys: Sequence[tuple[str, str]], file: str) -> None:
        """Replace the keys of a directory file by these (key, workspace) pairs."""
        rows = [
            ApiKey(f"{file}-{number}", sha256_hex(secret), workspace, USER, (READ_SCOPE,))
            for number, (secret, workspace) in enumerate(keys)
        ]
        self._write_rows(file, rows)

    def _write_rows(self, file: str, rows: Sequence[msgspec.Struct]) -> None:
        self._site.write(f"{DIRECTORY}/{file}", msgspec.json.Encoder().encode_lines(rows))

    def _usage(self, *arguments: str) -> None:
        command = [_USAGE, *arguments, "--data-dir", self._site.address]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        if done.returncode:
            raise AssertionError(f"{' '.join(arguments)} exited with {done.returncode}: {done.stderr[-500:]}")
        self.commits += 1


def _now() -> int:
    return time.time_ns() // 1000
