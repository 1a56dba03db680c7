"""Damaged files of the tables: a run names the file and changes nothing, and a rebuild restores the tables."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.contract.tables import EVENTS, events_path, manifest_path, quarantine_path
from pipeline.load.job import Limits
from pipeline.storage import parquet
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import State
from pipeline.storage.store import DamagedError
from tests.support.checked import forget_digests
from tests.support.command import contents, done, interrupt_commit, published, refused, total, usage
from tests.support.data_folder import WORKSPACE, DataFolder, record

OLD = [record("a", usage={"credits": 5}), {"id": "bad"}, record("b", user={"id": WORKSPACE, "name": "Ada"})]
NEW = [record("c", usage={"credits": 7}), {"id": "bad too"}]


def rows(records: list[dict[str, object]]) -> bytes:
    """Return records as lines."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in records)


def without(column: str) -> Callable[[Path], object]:
    """Return a function that removes a column from a Parquet file."""
    return lambda path: pq.write_table(pq.read_table(path, partitioning=None).drop_columns([column]), path)


def as_text(column: str) -> Callable[[Path], object]:
    """Return a function that turns a column of a Parquet file into text."""

    def change(path: Path) -> None:
        found = pq.read_table(path, partitioning=None)
        place = found.column_names.index(column)
        pq.write_table(found.set_column(place, column, pa.array(["no number"] * found.num_rows)), path)

    return change


def flip(path: Path, position: float) -> None:
    """Invert all bits of eight bytes; `position` is a fraction of the file's size."""
    content = bytearray(path.read_bytes())
    start = int(len(content) * position)
    content[start : start + 8] = bytes(255 - byte for byte in content[start : start + 8])
    path.write_bytes(content)


def empty(path: Path) -> None:
    """Truncate a file to nothing."""
    path.write_bytes(b"")


def torn(path: Path) -> None:
    """Cut off the second half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def foreign(path: Path) -> None:
    """Replace a file by bytes that are neither Parquet nor JSON."""
    path.write_bytes(b"PAR1 this is neither Parquet nor JSON \xff PAR1")


def emptied(path: Path) -> None:
    """Replace a file by a Parquet file without columns."""
    pq.write_table(pa.table({}), path)


COMMON = (empty, torn, foreign)
DAMAGES: list[tuple[str, Callable[[Path], object]]] = [
    *(("events", damage) for damage in (*COMMON, emptied, without("credits"), as_text("timestamp"))),
    *(("cube", damage) for damage in (*COMMON, Path.unlink, without("runs_failed"), as_text("quarter"))),
    *(("actors", damage) for damage in (*COMMON, Path.unlink, without("day"), as_text("events"))),
    *(("manifest", damage) for damage in (*COMMON, lambda path: path.write_bytes(b'{"workspace_id":"x"}'))),
    *(("published", damage) for damage in (*COMMON, lambda path: path.write_bytes(b"null"))),
    *(("quarantine", damage) for damage in (*COMMON, without("message"), as_text("loaded_at"))),
    *((table, lambda path: flip(path, 0.1)) for table in ("events", "cube", "actors", "quarantine")),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataFolder, DataFolder]:
    """Return two folders with the same raw files: one has the last lines still to load, the other has loaded them."""
    before, after = (DataFolder(tmp_path_factory.mktemp(name) / "data") for name in ("before", "after"))
    for folder in (before, after):
        folder.drop("a.jsonl", OLD)
        folder.run()
        folder.drop("a.jsonl", rows([*OLD, *NEW]))
    after.run()
    return before, after


def file_of(folder: DataFolder, table: str) -> str:
    """Return the path of a table's only file, relative to the data folder."""
    if table in {"cube", "actors"}:
        (path,) = folder.root.glob(f"{table}/*/*/*.parquet")
        return path.relative_to(folder.root).as_posix()
    return {
        "events": events_path(WORKSPACE, "2026-11-24"),
        "manifest": manifest_path(WORKSPACE),
        "published": "published.json",
        "quarantine": quarantine_path("a.jsonl"),
    }[table]


@pytest.mark.parametrize("table", dict(DAMAGES))
def test_damage(template: tuple[DataFolder, DataFolder], tmp_path: Path, table: str) -> None:
    """A run names the file, also without a digest, exits with 1 and changes nothing. A rebuild restores the tables."""
    before, after = template
    folder = before.copy(tmp_path / "data")
    uri = file_of(folder, table)
    forget_digests(folder)
    whole = (folder.root / uri).read_bytes()
    damages = [damage for damaged, damage in DAMAGES if damaged == table]
    for number, damage in enumerate(damages):
        (folder.root / uri).write_bytes(whole)
        damage(folder.root / uri)
        contents_before = contents(folder)
        result = usage(folder)
        refused(result, f"{uri} is damaged: ")
        assert "--rebuild" in result.stderr
        assert contents(folder) == contents_before, number
        if damage in {empty, damages[-1]}:  # a rebuild reads none of the tables, however they are damaged
            rebuilt = folder.copy(tmp_path / f"rebuilt-{number}")
            done(usage(rebuilt, "--rebuild"))
            assert published(rebuilt) == published(after)
            assert (total(rebuilt).lines, total(rebuilt).accepted) == (5, 3)


def test_any_byte(folder: DataFolder) -> None:
    """After any byte of a partition changes, reading it fails as damaged or returns the original values."""
    folder.drop("a.jsonl", OLD)
    folder.run()
    uri = events_path(WORKSPACE, "2026-11-24")
    path = folder.root / uri
    whole = path.read_bytes()

    def read() -> pa.Table:
        ((_, rows),) = parquet.portions(FolderStore(folder.root), [uri], EVENTS, threads=1, most_bytes=1)
        return rows

    rows_of = read()
    # The footer after the columns holds their names and types, and has no checksum.
    columns = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for position in range(0, len(whole), 5):
        path.write_bytes(whole[:position] + bytes([255 - whole[position]]) + whole[position + 1 :])
        try:
            found = read()
        except DamagedError as error:
            assert error.uri == uri
        else:
            assert found.num_rows == 2
            assert position >= columns or found.equals(rows_of)


def test_damage_of_the_state(folder: DataFolder) -> None:
    """A run names a damaged state file and says what to do. Without the state, the next run gives the same tables."""
    folder.drop("a.jsonl", OLD)
    folder.run()
    tables = published(folder)
    state = folder.root / "state.sqlite"
    state.write_bytes(b"this is no database" * 500)
    contents_before = contents(folder)
    for option in ((), ("--rebuild",)):
        assert "remove it" in refused(usage(folder, *option), "state.sqlite is damaged: ")
    assert contents(folder) == contents_before
    state.unlink()
    done(usage(folder))
    assert published(folder) == tables
    assert (total(folder).lines, total(folder).duplicates) == (3, 2)


@pytest.mark.parametrize("lost", ["state.sqlite", "staging"])
@pytest.mark.parametrize("step", [1, 4, 7])
def test_lost_in_a_commit(
    template: tuple[DataFolder, DataFolder], folder: DataFolder, monkeypatch: pytest.MonkeyPatch, step: int, lost: str
) -> None:
    """If an interrupted commit cannot be finished, the next run reads the raw files again and leaves no orphan."""
    load_half(folder, monkeypatch, step, NEW)
    lose(folder, lost)
    done(usage(folder))
    assert folder.tables() == template[1].tables()
    assert total(folder).lines == 5


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_interrupted_repair(folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """If the run that repairs a lost commit stops between two slices, the run after it completes the repair."""
    elsewhere = [record("c", timestamp="2026-10-02T00:00:00Z", usage={"credits": 7})]
    clean = DataFolder(tmp_path / "clean")
    clean.drop("a.jsonl", [*OLD, *elsewhere])
    clean.run()
    load_half(folder, monkeypatch, step, elsewhere)
    lose(folder, "state.sqlite")
    with monkeypatch.context() as patch:
        patch.setattr(folder, "limits", Limits(slice_bytes=1))
        begin, left = State.begin, [1]

        def once(state: State, *operations: Any, **options: Any) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            begin(state, *operations, **options)

        patch.setattr(State, "begin", once)
        with pytest.raises(KeyboardInterrupt):
            folder.run()
    folder.run()
    assert published(folder) == published(clean)


def load_half(folder: DataFolder, monkeypatch: pytest.MonkeyPatch, step: int, new: list[dict[str, Any]]) -> None:
    """Load one file, then interrupt the commit of another after `step` operations."""
    folder.drop("a.jsonl", OLD)
    folder.run()
    folder.drop("b.jsonl", new)
    interrupt_commit(folder, monkeypatch, step)


def lose(folder: DataFolder, name: str) -> None:
    """Delete the state or the staged files, without which no run can finish the commit."""
    if name == "staging":
        shutil.rmtree(folder.root / name)
    else:
        for path in folder.root.glob(f"{name}*"):
            path.unlink()


def test_damage_crosses_processes() -> None:
    """The error of a damaged file keeps its message when a worker process passes it on."""
    error = DamagedError("cube/x.parquet", "no magic bytes")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "cube/x.parquet is damaged: no magic bytes"
