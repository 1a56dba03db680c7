"""The views `members` and `accounts`: the rows of the directory's files as the service reads them, or an error."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from pipeline.analysis import database
from pipeline.analysis.source import QueryError
from pipeline.contract.directory import ACCOUNTS, MEMBERS, Account, DirectoryError, Member, read_rows
from tests.support.asking import open_folder, rows
from tests.support.data_folder import DataFolder

ID: Final = "0B5E1C3A-0000-4000-8000-00000000000F"
MEMBER: Final = {"workspace_id": ID, "user_id": ID, "name": "Ada", "role": "admin", "status": "active"}
ACCOUNT: Final[dict[str, Any]] = {"user_id": ID}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with only a database."""
    root = tmp_path_factory.mktemp("views")
    (root / "directory").mkdir()
    database.refresh(root)
    return root


@pytest.fixture
def client(root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file as any DuckDB client does, with little memory."""
    for path in (root / "directory").iterdir():
        path.unlink()
    with duckdb.connect(root / "usage.duckdb", read_only=True, config={"memory_limit": "256MB"}) as connection:
        yield connection


def lines(row: dict[str, Any], **changes: list[Any]) -> list[str]:
    """Return a line for each change of one field."""
    return [json.dumps({**row, name: value}) for name, values in changes.items() for value in values]


UUIDS: Final = [ID.lower(), "", ID[:-1], f"{ID}\n", f" {ID}", ID.replace("-", ""), "é" * 36, 5, None, [ID], {}]
TEXTS: Final = ["", "null", "ü\u202e", "\ud83d\ude00", 5, None, True, [], {}]
MEMBERS_LINES: Final = [
    *lines(MEMBER, workspace_id=UUIDS, user_id=UUIDS, name=TEXTS),
    *lines(MEMBER, role=["viewer", "editor", "Admin", "owner", "", None, 1], status=["removed", "gone", None, True]),
    *(json.dumps({name: value for name, value in MEMBER.items() if name != missing}) for missing in MEMBER),
]
ANCHORS: Final[list[Any]] = [
    *("2026-01-31T09:00:00+05:45", "2026-01-31t09:00:00.1234569z", "2024-02-29T23:59:59-23:59", "0001-01-01T00:00:00Z"),
    *("2026-02-30T00:00:00Z", "2026-01-31", "2026-01-31T09:00:00", "2026-01-31 09:00:00Z", "2026-01-31T09:00:60Z"),
    *("2026-01-31T24:00:00Z", "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59.9Z", "0000-01-01T00:00:00Z"),
    *("0001-01-01T00:00:00+01:00", "0000-12-31T23:30:00-01:00", "infinity", "epoch", "now", "", 5, None, [], False),
]
RENEWALS: Final[list[Any]] = ["monthly", "one_time", "Monthly", "", None, 1, True, [], {}]
QUOTAS: Final = [0, 1, 2**63 - 1, 2**63, 2**64, -1, 1.0, 1.7, "12", None, True, [], {}, 10**30, -0.0]
ACCOUNTS_LINES: Final = [
    *lines(ACCOUNT, user_id=UUIDS, subject=TEXTS, quota=QUOTAS, period_anchor=ANCHORS, credits_renewal=RENEWALS),
    *(f'{{"user_id": "{ID}", "quota": {quota}}}' for quota in ("1e2", "NaN", "Infinity", "-0", "00", "+1", "1,")),
]
ANY: Final = [
    *("", " \t\r", "\x0b\x0c", "null", "5", "[]", "{}", '"x"', "{", "{} {}", "x", "//", '{"a": 1,}', '{"a": [1,]}'),
    *(
        '{"a": nan}',
        '{"a": -Infinity}',
        '{"a": "nan, ,]"}',
        '{"a": "\\",}\\\\"}',
        "\ufeff{}",
        "{}\x00",
        '{"a": "\x01"}',
    ),
]


def seen(client: duckdb.DuckDBPyConnection, view: str) -> list[tuple[Any, ...]] | None:
    """Return the rows of a view; None where it fails as it should."""
    try:
        anchor = "replace (epoch_us(period_anchor) as period_anchor)" if view == "accounts" else ""
        return client.execute(f"select * {anchor} from {view}").fetchall()
    except duckdb.InvalidInputException as error:
        assert f"directory/{view}.jsonl, line 2: " in str(error)
        return None


def expected(path: Path, kind: Any) -> list[tuple[Any, ...]] | None:
    """Return the same by the directory's own rules."""
    try:
        found = {
            row.user_id.lower() + (row.workspace_id.lower() if isinstance(row, Member) else ""): row
            for row in (read_rows(path, Member) if kind is Member else read_rows(path, Account))
        }
    except DirectoryError:
        return None
    return [
        (row.workspace_id.lower(), row.user_id.lower(), row.name, row.role, row.status)
        if isinstance(row, Member)
        else (row.user_id.lower(), row.subject, row.quota, row.anchor, row.credits_renewal or "monthly")
        for row in found.values()
    ]


@pytest.mark.parametrize(
    ("view", "kind", "texts"),
    [("members", Member, [*MEMBERS_LINES, *ANY]), ("accounts", Account, [*ACCOUNTS_LINES, *ANY])],
)
def test_the_directory_s_rules(
    root: Path, client: duckdb.DuckDBPyConnection, view: str, kind: type[Member | Account], texts: list[str]
) -> None:
    """A line gives the row that the service makes of it; where the service would refuse it, the view names it."""
    path = root / "directory" / f"{view}.jsonl"
    outcomes = set()
    for text in texts:
        path.write_text(f"\n{text}", "utf-8")
        found = seen(client, view)
        assert found == expected(path, kind), text
        outcomes.add(found is None)
    assert outcomes == {True, False}


def test_of_repeated_names_and_rows_the_last_counts(root: Path, client: duckdb.DuckDBPyConnection) -> None:
    """Of a name that is repeated in a line, and of a user that is repeated in the file, the last one counts."""
    first, last = json.dumps(MEMBER), json.dumps({**MEMBER, "user_id": ID.lower(), "role": "viewer"})
    twice = last.removesuffix("}") + ', "name": 5, "n\\u0061me": "Bea"}'
    (root / "directory" / MEMBERS).write_text(f"\ufeff{first}\r\n\n{twice}")
    assert client.execute("select name, role from members").fetchall() == [("Bea", "viewer")]
    assert client.execute("select count(*) from members").fetchall() == [(1,)]


def test_a_fault_in_a_column_that_is_not_asked_for(root: Path, client: duckdb.DuckDBPyConnection) -> None:
    """A row that the service would refuse is not counted either."""
    (root / "directory" / MEMBERS).write_text(json.dumps({**MEMBER, "status": "gone"}))
    with pytest.raises(duckdb.Error, match=r"members.jsonl, line 1: status is not active or removed"):
        client.execute("select count(*) from members")


def test_no_files(client: duckdb.DuckDBPyConnection) -> None:
    """Without the files the views are empty, and have their types."""
    assert client.execute("select count(*) from members").fetchall() == [(0,)]
    assert client.execute("select typeof(sum(quota)), typeof(max(period_anchor)) from accounts").fetchall() == [
        ("HUGEINT", "TIMESTAMP")
    ]


def test_a_hundred_thousand(root: Path, client: duckdb.DuckDBPyConnection) -> None:
    """100,000 members and accounts fit into 256 MB."""
    users = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(100_000)]
    (root / "directory" / MEMBERS).write_text("".join(f"{json.dumps({**MEMBER, 'user_id': id_})}\n" for id_ in users))
    (root / "directory" / ACCOUNTS).write_text("".join(f'{{"user_id": "{id_}", "quota": 5}}\n' for id_ in users))
    asked = "select count(*), sum(quota) from members join accounts using (user_id)"
    assert client.execute(asked).fetchall() == [(100_000, 500_000)]


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_no_file(folder: DataFolder, kind: str) -> None:
    """What is no file is an error in `usage sql`: a pipe is not waited for, and a folder does not look empty."""
    (folder.root / "directory").mkdir(parents=True)
    path = folder.root / "directory" / MEMBERS
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with open_folder(folder.root, folder.now) as session, pytest.raises(QueryError, match=r"members\.jsonl"):
        rows(session, "from members")
