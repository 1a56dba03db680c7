"""What changes underneath a service while it is loaded, done by the same commands as ever, and what must come of it.

Writes raw files and the directory of a data folder; runs `usage run`, `usage forget` and `usage retention` on it.
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

from benchmarks.portions import portion
from benchmarks.witness import WHOAMI, Client
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
from pipeline.contract.tables import DIRECTORY, RAW
from pipeline.keys import new_secret, write_rows

WORKSPACES: Final = 6
FORGETFUL, DOOMED = 0, WORKSPACES - 1  # whose users are forgotten one by one, and which is forgotten as a whole
USER: Final = str(uuid.UUID(int=1))
_FIRST_PORTIONS: Final = 150  # of each workspace
_MORE_PORTIONS: Final = 5
_PICKED_UP_SECONDS: Final = 5.0  # a change of the directory, by contract
_USAGE: Final = str(Path(sys.executable).with_name("usage"))


class Upheaval:
    """Whatever changes a data folder, as commands in other processes do, and what has to be in it."""

    def __init__(self, data: Path) -> None:
        self._data, self._names, self._floor = data, count(), utc_day(_now()) - timedelta(days=220)
        self._doomed = False  # or already gone
        self.workspaces = [str(uuid.UUID(int=number)) for number in range(1, WORKSPACES + 1)]
        self.keys = [new_secret() for _ in self.workspaces]
        self.portions = dict.fromkeys(self.workspaces, 0)
        self.commits = 0
        (data / DIRECTORY).mkdir(parents=True)
        (data / RAW).mkdir()
        write_rows(data / DIRECTORY / MEMBERS, [Member(w, USER, "Ada", "admin", "active") for w in self.workspaces])
        # From the product: of a workspace that is forgotten those that were made here go, and readers go on asking.
        self._give_keys(list(zip(self.keys, self.workspaces, strict=True)), PRODUCT_KEYS)
        for workspace in self.workspaces:
            self._load([self._fresh(workspace, USER, old=number % 3 == 0) for number in range(_FIRST_PORTIONS)])
        self._usage("run")

    def step(self, number: int) -> None:
        """Change one thing or two."""
        batch = [self._fresh(w, USER) for w in self._living() for _ in range(_MORE_PORTIONS)]
        guest = str(uuid.uuid4())
        batch += [self._fresh(self.workspaces[FORGETFUL], guest) for _ in range(_MORE_PORTIONS)]
        self._load(batch, grows=number % 3 == 0)
        if number % 4 == 3:  # noqa: PLR2004 - every now and then
            self._load(batch[:5])  # once more: the same versions
        self._usage("run")
        self._change_directory(number)
        if number % 2:
            self._usage("forget", "--user", guest, "--apply")
            self.portions[self.workspaces[FORGETFUL]] -= _MORE_PORTIONS
        if number % 4 == 2:  # noqa: PLR2004 - every now and then
            self._floor += timedelta(days=4)
            self._usage("retention", "--keep", f"{(utc_day(_now()) - self._floor).days + 1}d", "--apply")
            if number > 2 and not self._doomed:  # noqa: PLR2004 - the second time
                self._doomed = True
                self._usage("forget", "--workspace", self.workspaces[DOOMED], "--apply")
                self.portions[self.workspaces[DOOMED]] = 0
            self._usage("run", "--rebuild")

    def turn_key(self, url: str) -> None:
        """Demand that a new key, and then its end, are noticed as soon as they have to be."""
        secret = new_secret()
        client = Client(url, secret)
        for keys, status in (([(secret, self.workspaces[1])], 200), ([], 401)):
            self._give_keys(keys, LOCAL_KEYS)
            until = time.monotonic() + _PICKED_UP_SECONDS
            while client.ask(WHOAMI, 401).status != status:
                if time.monotonic() > until:
                    raise AssertionError(f"{_PICKED_UP_SECONDS} s after a key changed, it still is not {status}")
                time.sleep(0.1)
        client.close()

    def settle(self, quota: int) -> None:
        """Leave a directory behind that is not broken."""
        write_rows(self._data / DIRECTORY / ACCOUNTS, [Account(USER, None, quota, None)])

    def _fresh(self, workspace: str, user: str, *, old: bool = False) -> bytes:
        self.portions[workspace] += not old
        return b"".join(portion(workspace, user, f"p{next(self._names)}", _now(), old=old))

    def _living(self) -> Sequence[str]:
        return self.workspaces[:DOOMED] if self._doomed else self.workspaces

    def _load(self, batch: Sequence[bytes], *, grows: bool = False) -> None:
        if grows:
            with (self._data / RAW / "live.jsonl").open("ab") as file:
                file.writelines(batch)
            return
        path = self._data / RAW / f"{next(self._names)}.jsonl"
        path.with_suffix(".tmp").write_bytes(b"".join(batch))
        path.with_suffix(".tmp").replace(path)

    def _change_directory(self, number: int) -> None:
        if number % 3 == 2:  # noqa: PLR2004 - every now and then
            (self._data / DIRECTORY / ACCOUNTS).write_text("{")  # refused: the last good one stays in force
        else:
            self.settle(quota=number)

    def _give_keys(self, keys: Sequence[tuple[str, str]], file: str) -> None:
        """Let these (key, workspace) be the keys of a file."""
        rows = [
            ApiKey(f"{file}-{number}", sha256_hex(secret), workspace, USER, (READ_SCOPE,))
            for number, (secret, workspace) in enumerate(keys)
        ]
        write_rows(self._data / DIRECTORY / file, rows)

    def _usage(self, *arguments: str) -> None:
        command = [_USAGE, *arguments, "--data-dir", str(self._data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise AssertionError(f"{' '.join(arguments)} exited with {done.returncode}: {done.stderr[-500:]}")
        self.commits += 1


def _now() -> int:
    return time.time_ns() // 1000
