"""A path that is not what its option needs is refused in a line, whatever it is: no traceback, and no waiting."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.data_folder import DataFolder, record
from tests.support.invoked import invoke

TIMEOUT_SECONDS: Final = 60
ID: Final = "0b5e1c3a-0000-4000-8000-000000000001"

# By option: the arguments, with `{}` where the path goes.
OPTIONS: Final = {
    "run PATH": ["run", "{}", "--data-dir", "DATA"],
    "quarantine --export": ["quarantine", "--export", "{}", "--data-dir", "DATA"],
    "quarantine --show": ["quarantine", "--show", "{}:1", "--data-dir", "DATA"],
    "sql --output": ["sql", "select 1", "--output", "{}", "--data-dir", "DATA"],
    "tz-diff OLD": ["tz-diff", "{}", "installed"],
    "tz-diff NEW": ["tz-diff", "installed", "{}"],
    "sample --out": ["sample", "--events", "1", "--out", "{}"],
    **{
        f"{name} --data-dir": [*arguments, "--data-dir", "{}"]
        for name, arguments in {
            "run": ["run"],
            "run --rebuild": ["run", "--rebuild"],
            "status": ["status"],
            "check": ["check"],
            "quarantine": ["quarantine"],
            "quarantine --retry": ["quarantine", "--retry"],
            "forget": ["forget", "--user", ID],
            "retention": ["retention", "--keep", "30d"],
            "sql": ["sql", "select 1"],
            "keys list": ["keys", "list"],
            "keys create": ["keys", "create", "--workspace", ID, "--user", ID],
            "keys revoke": ["keys", "revoke", "k"],
        }.items()
    },
}
# A pipe is a good place for rows; it waits for a reader, as everything does that writes to one.
WRITES_TO_PIPES: Final = {"quarantine --export", "sql --output"}


def odd_paths(folder: Path) -> dict[str, Path]:
    """Return a path of each kind."""
    paths = {name: folder / name for name in ("pipe", "a folder", "missing", "loop", "in nothing", "in a file", "x")}
    os.mkfifo(paths["pipe"])
    paths["a folder"].mkdir()
    paths["loop"].symlink_to(paths["loop"])
    paths["in nothing"] = folder / "nothing" / "x"
    (folder / "file").write_bytes(b"\xff\x00")
    paths["in a file"] = folder / "file" / "x"
    paths["x"] = folder / ("x" * 300)
    return {**paths, "a file": folder / "file", "empty": Path(), "not UTF-8": folder / os.fsdecode(b"\xff\x1b[31m")}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a loaded folder."""
    folder = DataFolder(tmp_path_factory.mktemp("odd") / "data")
    folder.drop("a.jsonl", [record(), {"id": "bad"}])
    folder.run()
    return folder


@pytest.fixture
def impatient() -> Iterator[None]:
    """Let the test fail that waits for what does not come, such as somebody who writes to a pipe."""
    signal.alarm(TIMEOUT_SECONDS)
    yield
    signal.alarm(0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", OPTIONS)
def test_odd_path(loaded: DataFolder, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of path, to each option that takes one: an exit code and a few lines."""
    monkeypatch.chdir(tmp_path)
    for kind, path in odd_paths(tmp_path).items():
        if kind == "pipe" and name in WRITES_TO_PIPES:
            continue
        arguments = [argument.replace("{}", str(path)).replace("DATA", str(loaded.root)) for argument in OPTIONS[name]]
        result = invoke(arguments)
        assert isinstance(result.exception, SystemExit | None), (kind, result.exception)
        assert result.exit_code in {0, 1, 2, 4}, (kind, result.stderr)
        assert result.exit_code in {0, 4} or len(result.stderr.splitlines()) <= 4, (kind, result.stderr)
