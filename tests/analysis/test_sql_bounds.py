"""`usage sql` has bounds, whatever it is asked: memory, temporary files, and the time until a signal ends it."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.analysis.session import Limits
from pipeline.analysis.source import QueryError
from pipeline.analysis.statements import statements
from tests.support.asking import open_folder, rows
from tests.support.data_folder import DataFolder
from tests.support.forked_command import command
from tests.support.invoked import invoke
from tests.support.process import COMMAND, ENVIRONMENT, wait_until

# Rows so wide that soon more has been written than is held back.
ENDLESS = "select repeat('x', 1000) as range from range(1000000000000)"
SPILLS = "select a.range, md5(a.range::varchar || b.range) as m from range(30000) a, range(2000) b order by m"


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """Return an empty folder, which stays the only place for temporary files."""
    path = tmp_path / "temporary"
    path.mkdir()
    yield path
    assert list(path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_stopped(folder: DataFolder, temporary: Path, number: signal.Signals) -> None:
    """A signal ends a statement that spills: 128 plus its number, one line, and nothing is left."""
    output = folder.root / "rows.csv"
    arguments = ["sql", SPILLS, "--format", "csv", "--output", str(output), "--data-dir", str(folder.root)]
    environment = {**ENVIRONMENT, "TMPDIR": str(temporary), "USAGE_SQL_MEMORY": "50MB"}
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, env=environment) as process:
        wait_until(process, lambda: any(path.is_file() and _size(path) for path in temporary.rglob("*")))
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (128 + number, b"stopped\n")
    assert not list(folder.root.glob("*rows.csv*"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_stopped_while_nobody_reads(folder: DataFolder, temporary: Path) -> None:
    """A signal also ends a command that waits for a pipe which is full."""
    arguments = ["sql", ENDLESS, "--format", "csv", "--data-dir", str(folder.root)]
    environment = {**ENVIRONMENT, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(6) == b"range\n"
        process.terminate()
        assert process.wait(60) == 143


def test_the_spill(folder: DataFolder) -> None:
    """What a statement may write to the temporary folder is limited, and the message says by which setting."""
    asked = "select md5(range::varchar) || repeat('x', 500) || range as m from range(300000) order by m"
    with open_folder(folder.root, None, Limits("50MB", "10MB")) as session, pytest.raises(QueryError) as failed:
        rows(session, asked)
    assert "USAGE_SQL_SPILL" in str(failed.value)


@pytest.mark.parametrize("size", ["", "1", "much", "-1GB", "1 GB; x"])
def test_sizes(folder: DataFolder, size: str) -> None:
    """A limit that is no size is refused; an empty one is the default."""
    result = invoke(["sql", "select 1", "--data-dir", str(folder.root)], env={"USAGE_SQL_SPILL": size})
    assert result.exit_code == (2 if size else 0)
    assert ("USAGE_SQL_SPILL" in result.stderr) is bool(size)


def test_rows_come_as_they_are_made(folder: DataFolder) -> None:
    """A result of any length takes little memory: its first rows are there before its last ones are made."""
    (statement,) = statements("from range(1000000000000)")
    with open_folder(folder.root, None) as session:
        assert session.run(statement, lambda reader: next(iter(reader)).num_rows) > 0


def test_a_reader_that_wants_no_more(folder: DataFolder) -> None:
    """A closed pipe ends an endless result in silence."""
    arguments = ["sql", ENDLESS, "--format", "csv", "--data-dir", str(folder.root)]
    assert command(folder.root, arguments, stdout="broken")[::2] == (141, b"")


def test_no_threads_are_left(folder: DataFolder) -> None:
    """A session leaves no thread behind, whether its statement ended or not."""
    before = threading.active_count()
    with open_folder(folder.root, None) as session:
        rows(session, "select 1")
        with pytest.raises(QueryError):
            rows(session, "select error('x')")
    assert threading.active_count() == before
