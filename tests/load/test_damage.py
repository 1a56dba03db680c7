"""Damaged files of the tables: a run names the file and changes nothing, and a rebuild makes all of it anew."""

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
from pipeline.storage.state import State
from pipeline.storage.store import DamagedError, Store
from tests.support.command import contents, done, interrupt_commit, published, refused, total, usage
from tests.support.data_folder import WORKSPACE, DataFolder, record

OLD = [record("a", usage={"credits": 5}), {"id": "bad"}, record("b", user={"id": WORKSPACE, "name": "Ada"})]
NEW = [record("c", usage={"credits": 7}), {"id": "bad too"}]


def rows(records: list[dict[str, object]]) -> bytes:
    """Return records as lines."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in records)


def without(column: str) -> Callable[[Path], object]:
    """Return what takes a column away from a Parquet file."""
    return lambda path: pq.write_table(pq.read_table(path, partitioning=None).drop_columns([column]), path)


def of_text(column: str) -> Callable[[Path], object]:
    """Return what makes a column of a Parquet file one of words."""

    def change(path: Path) -> None:
        found = pq.read_table(path, partitioning=None)
        place = found.column_names.index(column)
        pq.write_table(found.set_column(place, column, pa.array(["no number"] * found.num_rows)), path)

    return change


def flip(path: Path, position: float) -> None:
    """Turn all bits of some bytes of a file."""
    content = bytearray(path.read_bytes())
    start = int(len(content) * position)
    content[start : start + 8] = bytes(255 - byte for byte in content[start : start + 8])
    path.write_bytes(content)


def empty(path: Path) -> None:
    """Take all bytes away."""
    path.write_bytes(b"")


def torn(path: Path) -> None:
    """Take the second half away."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def foreign(path: Path) -> None:
    """Put something else in its place."""
    path.write_bytes(b"PAR1 this is neither Parquet nor JSON \xff PAR1")


def emptied(path: Path) -> None:
    """Put a file without any column in its place."""
    pq.write_table(pa.table({}), path)


COMMON = (empty, torn, foreign)
DAMAGES: list[tuple[str, Callable[[Path], object]]] = [
    *(("events", damage) for damage in (*COMMON, emptied, without("credits"), of_text("timestamp"))),
    *(("cube", damage) for damage in (*COMMON, Path.unlink, without("runs_failed"), of_text("quarter"))),
    *(("actors", damage) for damage in (*COMMON, Path.unlink, without("day"), of_text("events"))),
    *(("manifest", damage) for damage in (*COMMON, lambda path: path.write_bytes(b'{"workspace_id":"x"}'))),
    *(("published", damage) for damage in (*COMMON, lambda path: path.write_bytes(b"null"))),
    *(("quarantine", damage) for damage in (*COMMON, without("message"), of_text("loaded_at"))),
    *((table, lambda path: flip(path, 0.1)) for table in ("events", "cube", "actors", "quarantine")),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataFolder, DataFolder]:
    """Return a folder that is loaded, with more to read into the same partitions, and one where that is done."""
    before, after = (DataFolder(tmp_path_factory.mktemp(name) / "data") for name in ("before", "after"))
    for folder in (before, after):
        folder.drop("a.jsonl", OLD)
        folder.run()
        folder.drop("a.jsonl", rows([*OLD, *NEW]))
    after.run()
    return before, after


def file_of(folder: DataFolder, table: str) -> str:
    """Return the path of one file."""
    if table in {"cube", "actors"}:
        (path,) = folder.root.glob(f"{table}/*/*/*.parquet")
        return path.relative_to(folder.root).as_posix()
    return {
        "events": events_path(WORKSPACE, "2026-11-24"),
        "manifest": manifest_path(WORKSPACE),
        "published": "published.json",
        "quarantine": quarantine_path("a.jsonl"),
    }[table]


@pytest.mark.parametrize(("table", "damage"), DAMAGES)
def test_damage(
    template: tuple[DataFolder, DataFolder], tmp_path: Path, table: str, damage: Callable[[Path], object]
) -> None:
    """Whatever is wrong with whichever file: exit 1 and its name, nothing is changed, and --rebuild mends it."""
    before, after = template
    folder = before.copy(tmp_path / "data")
    uri = file_of(folder, table)
    damage(folder.root / uri)
    as_it_was = contents(folder)
    result = usage(folder)
    refused(result, f"{uri} is damaged: ")
    assert "--rebuild" in result.stderr
    assert contents(folder) == as_it_was
    done(usage(folder, "--rebuild"))
    assert published(folder) == published(after)
    assert (total(folder).lines, total(folder).accepted) == (5, 3)


def test_any_byte(folder: DataFolder) -> None:
    """Wherever bits of a partition turn, it is called damaged, or no value is another than before."""
    folder.drop("a.jsonl", OLD)
    folder.run()
    uri = events_path(WORKSPACE, "2026-11-24")
    path = folder.root / uri
    whole = path.read_bytes()

    def read() -> pa.Table:
        ((_, rows),) = parquet.portions(Store(folder.root), [uri], EVENTS, threads=1, most_bytes=1)
        return rows

    rows_of = read()
    # Behind the columns come their names and types, of which there is no checksum.
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
    """A state that is no database is named with what to do, and without it the tables stay the same."""
    folder.drop("a.jsonl", OLD)
    folder.run()
    tables = published(folder)
    state = folder.root / "state.sqlite"
    state.write_bytes(b"this is no database" * 500)
    as_it_was = contents(folder)
    for option in ((), ("--rebuild",)):
        assert "remove it" in refused(usage(folder, *option), "state.sqlite is damaged: ")
    assert contents(folder) == as_it_was
    state.unlink()
    done(usage(folder))
    assert published(folder) == tables
    assert (total(folder).lines, total(folder).duplicates) == (3, 2)


@pytest.mark.parametrize("lost", ["state.sqlite", "staging"])
@pytest.mark.parametrize("step", [1, 4, 7])
def test_lost_in_a_commit(
    template: tuple[DataFolder, DataFolder], folder: DataFolder, monkeypatch: pytest.MonkeyPatch, step: int, lost: str
) -> None:
    """A commit that broke off and cannot be finished is made good by reading again, and leaves no stray file."""
    load_half(folder, monkeypatch, step, NEW)
    lose(folder, lost)
    done(usage(folder))
    assert folder.tables() == template[1].tables()
    assert total(folder).lines == 5


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_mending_that_breaks_off(
    folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """What makes a lost commit good may be stopped between two slices: the run after it goes on with that."""
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
    """Load one file, and another with a commit that ends before one of its steps."""
    folder.drop("a.jsonl", OLD)
    folder.run()
    folder.drop("b.jsonl", new)
    interrupt_commit(folder, monkeypatch, step)


def lose(folder: DataFolder, name: str) -> None:
    """Remove what a commit is finished from."""
    if name == "staging":
        shutil.rmtree(folder.root / name)
    else:
        for path in folder.root.glob(f"{name}*"):
            path.unlink()


def test_damage_is_told_across_processes() -> None:
    """A worker process tells of a damaged file in the same words."""
    error = DamagedError("cube/x.parquet", "no magic bytes")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "cube/x.parquet is damaged: no magic bytes"
