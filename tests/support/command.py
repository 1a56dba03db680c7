"""Run commands of `usage` in this process, and read the data folder afterwards."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from pipeline import run
from pipeline.commands import app
from pipeline.contract.calendar import rfc3339
from pipeline.contract.tables import quarantine_path
from pipeline.erasure import erase
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import Counts, Entry, State
from pipeline.storage.store import Operation
from service.commands import COMMANDS
from tests.support.data_folder import DataFolder
from tests.support.invoked import Result, invoke

_RAW = "raw/"
_OF_THE_WRITER = ("state.sqlite", "run.lock", "usage.duckdb")


def usage(folder: DataFolder, *arguments: str, now: str | None = None) -> Result:
    """Run `usage quarantine`, `forget` or `retention`, or `usage run` if only options are given."""
    now = now or rfc3339(folder.now)
    command = [] if arguments and arguments[0] in {"quarantine", "forget", "retention"} else ["run"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "run", partial(run.run, limits=folder.limits))
        patch.setattr(erase, "erase", partial(erase.erase, limits=folder.limits))
        return invoke([*command, *arguments, "--data-dir", str(folder.root), "--now", now])


def parse(arguments: Sequence[str]) -> dict[str, Any]:
    """Parse arguments of `usage`, without running the command; return the values of its options.

    Raises:
        KeyError: there is no such command.
        SystemExit: it does not take these arguments.
    """
    words = 2 if " ".join(arguments[:2]) in COMMANDS else 1
    parser, _ = app.parser_of(COMMANDS, " ".join(arguments[:words]))
    return parser.parse(arguments[words:])


def options_of(name: str) -> set[str]:
    """Return the options of a command."""
    parser, _ = app.parser_of(COMMANDS, name)
    return {option for action in parser._actions for option in action.option_strings}  # noqa: SLF001 - no other list


def interrupt_commit(folder: DataFolder, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Start a run, and interrupt its commit after `step` operations."""
    apply, left = FolderStore.apply, [step]

    def stopping(store: FolderStore, operation: Operation) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        apply(store, operation)

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "apply", stopping)
        with pytest.raises(KeyboardInterrupt):
            folder.run()


def done(result: Result, code: int = 0) -> None:
    """Assert that a command ended with an exit code."""
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code == code, result.output


def refused(result: Result, *words: str, code: int = 1) -> str:
    """Assert that a command failed with one error line that contains some words. Return the line."""
    done(result, code)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    said = [text for text in result.stderr.splitlines() if text.startswith("error: ")]
    assert len(said) == 1, result.stderr
    for word in words:
        assert word in said[0]
    return said[0]


def contents(folder: DataFolder) -> dict[str, bytes]:
    """Return the bytes of all files by path, except raw files and files that only the writer uses."""
    paths = {path.relative_to(folder.root).as_posix(): path for path in folder.root.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in paths.items() if not name.startswith((_RAW, *_OF_THE_WRITER))}


def ledger(folder: DataFolder) -> dict[str, Entry]:
    """Return the ledger, after asserting that its counts add up and that the quarantine has all rejected lines."""
    state = State(folder.root / "state.sqlite")
    entries = state.entries()
    state.close()
    rejected: dict[str, int] = {}
    for row in folder.quarantine():
        rejected[row["source_file"]] = rejected.get(row["source_file"], 0) + 1
    for name, entry in entries.items():
        counts = entry.counts
        assert counts.lines == counts.accepted + counts.duplicates + counts.rejected + counts.blank, name
        assert min(counts.accepted, counts.duplicates, counts.rejected, counts.blank) >= 0, name
        assert counts.rejected == rejected.get(name, 0), name
        assert (folder.root / quarantine_path(name)).exists() is bool(counts.rejected)
    return entries


def total(folder: DataFolder) -> Counts:
    """Return the sum of the ledger's counts."""
    return sum((entry.counts for entry in ledger(folder).values()), Counts())


def published(folder: DataFolder) -> dict[str, list[dict[str, Any]]]:
    """Return the tables and the quarantine, without `loaded_at`."""
    rejected = [{key: value for key, value in row.items() if key != "loaded_at"} for row in folder.quarantine()]
    return {**folder.tables(), "quarantine": rejected}
