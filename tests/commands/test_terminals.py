"""No character reaches a terminal that would obey it, wherever it comes from; files and pipes get it as it is."""

import json
import os
import re
import tty
from pathlib import Path
from threading import Thread
from typing import Final

import pytest

from tests.support.data_folder import NOW, DataFolder, record
from tests.support.forked_command import command

# A title, a bell, a C1 control, text turned round, a line overwritten, and half of an emoji.
EVIL: Final = "\x1b]0;pwned\x07\x9b31m\u202e\u2066\rover\x7f"
# All that a terminal may get: visible characters and the ends of lines.
HARMLESS: Final = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]*")
ID: Final = "8b4ae5f1-a941-46a0-956a-26afbccdafe5"

COMMANDS: Final = {
    "sql table": ["sql", 'select kind, kind as "\x1b[1m" from events'],
    "sql csv": ["sql", "select kind from events", "--format", "csv"],
    "sql json": ["sql", "select kind from events", "--format", "json"],
    "sql explain": ["sql", f"explain select kind from events where kind = '{EVIL}'"],
    "sql error": ["sql", f"select error('{EVIL}')"],
    "sql refused": ["sql", f"{EVIL} 1"],
    "keys list": ["keys", "list"],
    "quarantine": ["quarantine"],
    "quarantine --list": ["quarantine", "--list"],
    "quarantine --list --json": ["quarantine", "--list", "--json"],
    "quarantine --show": ["quarantine", "--show", f"{EVIL}.jsonl:1"],
    "quarantine --export": ["quarantine", "--export", "-"],
    "status": ["status"],
    "status --json": ["status", "--json"],
    "check": ["check"],
    "run": ["run"],
    "wrong option": ["run", f"--{EVIL}"],
    "wrong value": ["run", "--since", EVIL],
    "wrong command": [EVIL],
    "tz-diff": ["tz-diff", EVIL, "installed"],
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a folder with such characters wherever they can come from."""
    folder = DataFolder(tmp_path_factory.mktemp("evil") / f"data{EVIL}")
    folder.drop(f"{EVIL}.jsonl", [{"id": EVIL, EVIL: 1}, record(EVIL, kind=EVIL), record("2", action=EVIL)])
    key = {"id": EVIL, "key_sha256": "a" * 64, "workspace_id": ID, "user_id": ID, "scopes": [EVIL]}
    (folder.root / "directory").mkdir()
    (folder.root / "directory/api_keys.jsonl").write_text(json.dumps(key))
    folder.run()
    folder.drop(f"{EVIL}2.jsonl.gz", b"\x1f\x8b")
    return folder


def shown(folder: Path, arguments: list[str]) -> str:
    """Return what a command shows on a terminal, as it is sent there."""
    controller, terminal = os.openpty()
    tty.setraw(terminal)  # else the terminal itself changes line ends
    found: list[bytes] = []
    reader = Thread(target=lambda: found.extend(iter(lambda: _read(controller), b"")))
    reader.start()
    try:
        name = os.ttyname(terminal)
        command(folder, arguments, stdout=name, stderr=name)
    finally:
        os.close(terminal)
        reader.join()
        os.close(controller)
    return b"".join(found).decode()


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 65_536)
    except OSError:  # nobody has the terminal open any more
        return b""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_terminal(loaded: DataFolder, tmp_path: Path, name: str) -> None:
    """Whatever the command and the format, on stdout and on stderr: what a terminal would obey is escaped."""
    where = ["--data-dir", str(loaded.root)] if name != "wrong command" else []
    now = ["--now", NOW] if COMMANDS[name][0] == "run" else []
    text = shown(tmp_path, [*COMMANDS[name], *where, *now])
    assert text
    if name in {"run", "check"}:  # the bars of their progress move the cursor; what they say of files is escaped
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text)
    assert HARMLESS.fullmatch(text), repr(text)


def test_json_on_a_terminal(loaded: DataFolder, tmp_path: Path) -> None:
    """JSON stays JSON: its escapes are those of JSON."""
    arguments = ["sql", "select kind from events", "--format", "json", "--data-dir", str(loaded.root)]
    assert json.loads(shown(tmp_path, arguments)) == [{"kind": EVIL}]


def test_no_terminal(loaded: DataFolder, tmp_path: Path) -> None:
    """A file gets the bytes as they are, escape sequences too."""
    where = ["--data-dir", str(loaded.root)]
    csv = command(tmp_path, ["sql", "select kind from events", "--format", "csv", *where])
    assert csv.stdout.decode() == f'kind\n"{EVIL}"\n'
    exported = command(tmp_path, ["quarantine", "--export", "-", "--reason", "missing_field", *where])
    assert json.loads(exported.stdout) == {"id": EVIL, EVIL: 1}


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    """The bytes of a name come out as they went in; a terminal sees them as escapes."""
    name = os.fsdecode(b"\xff\xfe")
    ended = command(tmp_path, ["tz-diff", name, "installed"])
    assert ended.stderr.startswith(b"\xff\xfe: not a wheel")
    assert shown(tmp_path, ["tz-diff", name, "installed"]).startswith(r"\xff\xfe: not a wheel")
