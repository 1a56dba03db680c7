"""Whatever stdout and stderr are, every command ends with an exit code and without a traceback."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record
from tests.support.forked_command import KINDS, Ended, command

USER: Final = "0b5e1c3a-0000-4000-8000-000000000001"
CLOSED_PIPE: Final = 141  # 128 + SIGPIPE

COMMANDS: Final = {
    "help": ["--help"],
    "version": ["--version"],
    "command help": ["sql", "--help"],
    "wrong option": ["run", "--wrong"],
    "run": ["run"],
    "status": ["status"],
    "status --json": ["status", "--json"],
    "check": ["check"],
    "check --json": ["check", "--json"],
    "quarantine": ["quarantine"],
    "quarantine --list": ["quarantine", "--list"],
    "quarantine --list --json": ["quarantine", "--list", "--json"],
    "quarantine --show": ["quarantine", "--show", "a.jsonl:2"],
    "quarantine --export": ["quarantine", "--export", "-"],
    "quarantine --retry": ["quarantine", "--retry"],
    "forget": ["forget", "--user", USER],
    "retention": ["retention", "--keep", "30d"],
    "sql": ["sql", "from events"],
    "sql csv": ["sql", "--format", "csv", "from range(1000)"],
    "sql json": ["sql", "--format", "json", "from events"],
    "sql parquet": ["sql", "--format", "parquet", "from events"],
    "sql explain": ["sql", "explain from events"],
    "sql error": ["sql", "from nowhere"],
    "sql of several": ["sql", "select 1; select 2"],
    "files": ["files"],
    "files --json": ["files", "--table", "cube", "--json"],
    "sample": ["sample", "--events", "1", "--workspaces", "1", "--out", "sample", "--force"],
    "tz-diff": ["tz-diff", "installed", "installed"],
    "keys create": ["keys", "create", "--workspace", WORKSPACE, "--user", USER],
    "keys list": ["keys", "list"],
    "keys revoke": ["keys", "revoke", "none"],
}
NOTHING_ON_STDOUT: Final = {"wrong option", "sql error", "keys revoke"}
NO_FOLDER: Final = {"help", "version", "command help", "sample", "tz-diff"}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a loaded folder with a member, a key and a rejected line."""
    folder = DataFolder(tmp_path_factory.mktemp("streams") / "data")
    folder.drop("a.jsonl", [record(), {"id": "bad"}])
    member = f'{{"workspace_id":"{WORKSPACE}","user_id":"{USER}","name":"Ada","role":"admin","status":"active"}}\n'
    (folder.root / "directory").mkdir()
    (folder.root / "directory/members.jsonl").write_text(member)
    key = f'{{"id":"k","key_sha256":"{"a" * 64}","workspace_id":"{WORKSPACE}","user_id":"{USER}","scopes":[]}}\n'
    (folder.root / "directory/api_keys.jsonl").write_text(key)
    folder.run()
    return folder


def arguments_of(name: str, folder: DataFolder) -> list[str]:
    """Return the arguments of a command on a folder."""
    takes_now = name.split(maxsplit=1)[0] in {
        "run",
        "status",
        "check",
        "quarantine",
        "forget",
        "retention",
        "sql",
        "sample",
    }
    where = [] if name in NO_FOLDER else ["--data-dir", str(folder.root)]
    return [*COMMANDS[name], *where, *(["--now", NOW] if takes_now and name not in NO_FOLDER else [])]


@pytest.fixture(scope="module")
def usually(loaded: DataFolder, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ended]:
    """Return a function that returns what a command leaves whose streams are files."""
    folder = tmp_path_factory.mktemp("usual")
    return cache(lambda name: command(folder, arguments_of(name, loaded)))


@pytest.mark.parametrize("name", COMMANDS)
def test_stdout(loaded: DataFolder, usually: Callable[[str], Ended], tmp_path: Path, name: str) -> None:
    """What cannot be written to stdout fails the command in one line; a pipe that nobody reads ends it in silence."""
    arguments = arguments_of(name, loaded)
    usual = usually(name)
    assert b"Traceback" not in usual.stderr
    assert bool(usual.stdout) is (name not in NOTHING_ON_STDOUT)
    # Each command meets a pipe and one of the other kinds.
    for kind in ("broken", ("closed", "full")[list(COMMANDS).index(name) % 2]):
        ended = command(tmp_path, arguments, stdout=kind)
        assert b"Traceback" not in ended.stderr
        assert b"Exception ignored" not in ended.stderr
        said = [
            line
            for line in ended.stderr.splitlines()
            if line not in usual.stderr.splitlines() and not line.startswith(b"id key_")  # of which each is new
        ]
        if not usual.stdout:
            assert (ended.code, said) == (usual.code, []), kind
        elif kind == "broken":
            assert (ended.code, said) == (CLOSED_PIPE, [])
        else:
            why = {"closed": b"Bad file descriptor", "full": b"No space left on device"}[kind]
            assert (ended.code, said) == (1, [b"error: stdout cannot be written: " + why])


@pytest.mark.parametrize("name", COMMANDS)
def test_stderr(loaded: DataFolder, tmp_path: Path, name: str) -> None:
    """What cannot be written to stderr is dropped: the command does all of its work."""
    usual = command(tmp_path, arguments_of(name, loaded))
    kind = KINDS[list(COMMANDS).index(name) % len(KINDS)]  # one of them for each command
    ended = command(tmp_path, arguments_of(name, loaded), stderr=kind)
    assert ended.code == usual.code, kind
    assert len(ended.stdout.splitlines()) == len(usual.stdout.splitlines()), kind


@pytest.mark.parametrize("name", COMMANDS)
def test_no_streams(loaded: DataFolder, tmp_path: Path, name: str) -> None:
    """Without any stream, no file of the command's gets the number of one, and so what is meant for a person."""
    ended = command(tmp_path, arguments_of(name, loaded), stdin="closed", stdout="closed", stderr="closed")
    assert ended.code in {0, 1, 2}
    state = loaded.root / "state.sqlite"
    assert state.read_bytes().startswith(b"SQLite format 3\0")
