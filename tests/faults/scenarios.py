"""Commands to disturb: for each one a data folder to begin with, and what it must have become in the end.

A scenario is built once. Every attempt begins with the same files at the same path, so that the same calls follow, and
`usage.duckdb` stays current.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from pipeline import keys
from pipeline.contract.directory import Member, sha256_hex
from pipeline.contract.tables import PUBLISHED, Manifest, Published
from pipeline.storage.tombstones import Tombstones
from tests.faults.host import Host, Outcome
from tests.faults.shim import Arming
from tests.support.batches import OTHER, batches, drop, state_of
from tests.support.data_folder import NOW, USER, WORKSPACE, DataFolder, record

RUN: Final = ("run", "--workers", "1", "--now", NOW)
LATER: Final = "2026-11-28T12:00:00Z"  # when lines that were early are no longer
KEY: Final = "key_1"

View = dict[str, Any]


class Scenario(msgspec.Struct, frozen=True):
    """One command.

    Attributes:
        command: its arguments.
        prepare: makes the data folder that it begins with.
        again: whether the command is repeated after a failure, besides the next run; else that alone must do the rest.
        now: when the runs take place.
    """

    command: tuple[str, ...]
    prepare: Callable[[DataFolder, Host], None]
    again: bool = True
    now: str = NOW


def _loaded(folder: DataFolder, host: Host, *, now: str = NOW) -> None:
    _succeed(host, folder, "run", "--workers", "1", "--now", now)


def _first(folder: DataFolder, _: Host) -> None:
    drop(folder, 0)


def _more(folder: DataFolder, host: Host) -> None:
    drop(folder, 0)
    _loaded(folder, host)
    for number in range(1, len(batches())):
        drop(folder, number)


def _all(folder: DataFolder, host: Host) -> None:
    ada = {"user": {"id": USER, "name": "Ada"}}
    folder.drop(
        "ada.jsonl",
        [
            record("g", usage={"credits": 17}, **ada),
            record("h", timestamp="2026-10-05T00:20:00Z", usage={"credits": 19}, **ada),
            record("i", metadata={"who": USER}),
            {"id": "bad", **ada},
        ],
    )
    _more(folder, host)
    keys.write_rows(folder.root / "directory/members.jsonl", [Member(WORKSPACE, USER, "", "admin", "active")])
    keys.create(folder.root / "directory", key_id=KEY, workspace_id=WORKSPACE, user_id=USER)
    _loaded(folder, host)


def _early(folder: DataFolder, host: Host) -> None:
    folder.drop("early.jsonl", [record("a"), record("b", timestamp="2026-11-26T12:00:00Z"), {"id": "bad"}])
    _loaded(folder, host)


SCENARIOS: Final = {
    "first load": Scenario(RUN, _first),
    "second batch": Scenario(RUN, _more),
    "forget a user": Scenario(("forget", "--apply", "--user", USER, "--now", NOW), _all),
    "forget a workspace": Scenario(("forget", "--apply", "--workspace", OTHER, "--now", NOW), _all),
    "retention": Scenario(("retention", "--apply", "--keep", "41d", "--now", NOW), _all),
    "retry": Scenario(("quarantine", "--retry", "--now", LATER), _early, now=LATER),
    "rebuild": Scenario((*RUN, "--rebuild"), _all, again=False),
    "create a key": Scenario(("keys", "create", "--workspace", WORKSPACE, "--user", USER), _all),
    "revoke a key": Scenario(("keys", "revoke", KEY), _all),
}


# Commands that only read: they change nothing, and end as cleanly.
READERS: Final = {
    "check": Scenario(("check", "--now", NOW), _all),
    "status": Scenario(("status", "--now", NOW), _all),
    "list the quarantine": Scenario(("quarantine", "--list"), _all),
    "list the keys": Scenario(("keys", "list"), _all),
}


class Stage:
    """A scenario at work: its data folder, which is restored before each attempt, and what may become of it.

    Args:
        name: of the scenario.
        host: runs the commands.
        root: a folder for the data folder, and for the prepared ones, which scenarios share.

    Attributes:
        folder: the data folder of the attempts.
        before: what readers see at the beginning.
        after: what they see once the command has succeeded.
        final: all that must be equal then.
        calls: the counted calls of the command when nothing fails, such as `rename /staging/…`.
    """

    def __init__(self, name: str, host: Host, root: Path) -> None:
        self.scenario, self.host = (SCENARIOS | READERS)[name], host
        self.folder = DataFolder(root / "data")
        self._kept = root / self.scenario.prepare.__name__
        self._run = ("run", "--workers", "1", "--now", self.scenario.now)
        shutil.rmtree(self.folder.root, ignore_errors=True)
        if not self._kept.exists():
            (self.folder.root / "raw").mkdir(parents=True)
            self.scenario.prepare(self.folder, host)
            _copy(self.folder.root, self._kept)
        self._restore()
        self.before = view(self.folder)
        calls = root / "calls"
        calls.unlink(missing_ok=True)
        ended = self.attempt(arming=Arming(str(self.folder.root), calls=str(calls)))
        assert ended.code == 0, ended.stderr
        self.calls = calls.read_text().splitlines()
        self.after = view(self.folder)
        self.final = whole(self.folder)

    def _restore(self) -> None:
        shutil.rmtree(self.folder.root, ignore_errors=True)
        _copy(self._kept, self.folder.root)

    def attempt(self, **how: Any) -> Outcome:
        """Restore the folder, and run the command; `how` is for `Host.usage`."""
        self._restore()
        return self.host.usage([*self.scenario.command, "--data-dir", str(self.folder.root)], **how)

    def go_on(self) -> Iterator[str]:
        """Let the next run follow, undisturbed, then the command again; yield what is wrong afterwards."""
        commands = [self._run, *([self.scenario.command] if self.scenario.again else [])]
        for command in commands:
            ended = self.host.usage([*command, "--data-dir", str(self.folder.root)])
            if ended.code:
                yield f"afterwards, {command[0]} exits with {ended.code}: {ended.stderr}"
                return
            try:
                found = whole(self.folder)
            except AssertionError as error:
                yield f"after the next {command[0]}, the check finds: {error}"
                return
        if self.scenario.command[:2] == ("keys", "create"):
            found["keys"]["new"] = 1  # a command that failed late has stored a key as well, whose secret nobody knows
        if different := differences(found, self.final):
            yield f"in the end, not all is as undisturbed: {different}"
        if list(self.folder.root.glob("staging/*")):
            yield "the next run leaves files in staging/"


def view(folder: DataFolder) -> View:
    """Return what readers see: of each workspace the rows that its manifest names, and all else that is read."""
    found: View = {}
    for path in sorted(folder.root.glob("manifests/*.json")):
        months = msgspec.json.decode(path.read_bytes(), type=Manifest).months.values()
        found[path.stem] = [
            pl.read_parquet(folder.root / uri).to_dicts() for month in months for uri in (month.cube, month.actors)
        ]
    for path in sorted(folder.root.glob("quarantine/*.parquet")):
        rows = pl.read_parquet(path).drop("loaded_at", "message").to_dicts()
        found[path.name] = rows
    published = folder.root / PUBLISHED
    if published.exists():
        found[PUBLISHED] = msgspec.json.decode(published.read_bytes(), type=Published).data_as_of
    found["keys"] = {key.id: key.revoked_at is None for _, key in keys.stored(folder.root / "directory")}
    return found


def whole(folder: DataFolder) -> View:
    """Return everything that must be equal in the end, after asserting that the check passes."""
    found = state_of(folder)
    stored = {key.id: key for _, key in keys.stored(folder.root / "directory")}
    is_active = KEY in stored and stored[KEY].revoked_at is None
    partitions = sorted(str(path.relative_to(folder.root)) for path in folder.root.glob("events/*/*"))
    quarantine = [{name: value for name, value in row.items() if name != "message"} for row in found["quarantine"]]
    return {
        **found,
        "quarantine": quarantine,
        "keys": {KEY: is_active, "new": len(stored.keys() - {KEY})},
        "partitions": partitions,
        "tombstones": Tombstones.read(folder.root),
    }


def differences(found: View, expected: View) -> list[str]:
    """Return the names of what differs."""
    return sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))


def knows(folder: DataFolder, secret: str) -> bool:
    """Return whether a key is stored."""
    return any(key.key_sha256 == sha256_hex(secret) for _, key in keys.stored(folder.root / "directory"))


def _succeed(host: Host, folder: DataFolder, *command: str) -> None:
    ended = host.usage([*command, "--data-dir", str(folder.root)])
    assert ended.code == 0, json.dumps(ended.stderr)


def _copy(source: Path, target: Path) -> None:
    """Copy a data folder; raw files stay the same, so that the ledger knows them."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("raw"))
    shutil.copytree(source / "raw", target / "raw", copy_function=os.link)
