"""The rows of the directory files: which lines are accepted, and the place that an error names."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.directory import (
    EXPORTS,
    FILES,
    LOCAL_KEYS,
    Account,
    ApiKey,
    DirectoryError,
    Member,
    problems,
    read_rows,
)
from pipeline.contract.files import NotAFileError

WORKSPACE, USER = "a0000000-0000-4000-8000-000000000001", "c0000000-0000-4000-8000-00000000000a"
MEMBER = {"workspace_id": WORKSPACE, "user_id": USER, "name": "Ada", "role": "admin", "status": "active"}
KEY = {"id": "k", "key_sha256": "a" * 64, "workspace_id": WORKSPACE, "user_id": USER, "scopes": ["workspace:read"]}


def _write(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        (Member, MEMBER | {"role": "owner"}),
        (Member, MEMBER | {"status": "invited"}),
        (Member, MEMBER | {"workspace_id": "x"}),
        (Member, MEMBER | {"user_id": USER + "\n"}),
        (Member, {name: value for name, value in MEMBER.items() if name != "name"}),
        (Account, {"user_id": USER, "quota": "5", "period_anchor": None}),
        (Account, {"user_id": USER, "quota": -1, "period_anchor": None}),
        (Account, {"user_id": USER, "quota": 2**63, "period_anchor": None}),
        (Account, {"user_id": USER, "quota": 5, "period_anchor": "2026-02-30T00:00:00Z"}),
        (Account, {"user_id": USER, "quota": 5, "period_anchor": "9999-12-31T23:00:00-02:00"}),
        (Account, {"user_id": USER, "credits_renewal": "yearly"}),
        (Account, {"user_id": USER, "credits_renewal": "Monthly"}),
        (Account, {"user_id": USER, "credits_renewal": ""}),
        (Account, {"user_id": USER, "credits_renewal": False}),
        (ApiKey, KEY | {"key_sha256": "ab"}),
        (ApiKey, KEY | {"user_id": None}),
        (ApiKey, KEY | {"scopes": None}),
        (ApiKey, KEY | {"rate_limit_per_min": -1}),
        (Account, "{"),
        (Account, b'"\\ud800'),
        (Account, b'{"user_id": "\xff"}'),
        (Account, b'{"user_id": "%b", "unknown": "\xff"}' % USER.encode()),
        (Account, b"[" * 9000),
    ],
)
def test_broken_row_names_file_and_line(tmp_path: Path, kind: Any, row: Any) -> None:
    """A line that breaks a rule raises an error with the file and the line number."""
    path = _write(tmp_path / "rows.jsonl", "", json.dumps(row) if isinstance(row, dict) else row)
    with pytest.raises(DirectoryError, match=r"rows\.jsonl, line 2: "):
        read_rows(path, kind)


def test_optional_and_unknown_fields(tmp_path: Path) -> None:
    """A byte order mark, blank lines, CR LF and unknown fields are accepted; a missing file has no rows."""
    path = tmp_path / "accounts.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"user_id": "%b", "quota": null, "period_anchor": null, "x": 1}\r\n\n  \n' % USER.encode()
    )
    assert read_rows(path, Account) == [Account(USER)]
    assert read_rows(tmp_path / "missing.jsonl", Account) == []


@pytest.mark.parametrize("revoked_at", ["2026-01-01T00:00:00Z", "", 0, False, []])
def test_anything_revokes(tmp_path: Path, revoked_at: Any) -> None:
    """Any `revoked_at` but null is accepted and revokes, so that an odd value cannot keep a key alive."""
    path = _write(tmp_path / "api_keys.jsonl", json.dumps(KEY | {"revoked_at": revoked_at}))
    assert [key.revoked_at is not None for key in read_rows(path, ApiKey)] == [True]


@pytest.mark.parametrize(
    ("renewal", "renews"),
    [
        ({}, True),
        ({"credits_renewal": None}, True),
        ({"credits_renewal": "monthly"}, True),
        ({"credits_renewal": "one_time"}, False),
    ],
)
def test_credits_renewal(tmp_path: Path, renewal: dict[str, str], renews: bool) -> None:
    """Credits are renewed monthly unless the account says `one_time`."""
    path = _write(tmp_path / "accounts.jsonl", json.dumps({"user_id": USER} | renewal))
    assert [account.renews for account in read_rows(path, Account)] == [renews]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    """A file in another encoding than UTF-8 is an error that says so, or that a line is no JSON."""
    path = tmp_path / "members.jsonl"
    path.write_bytes(
        (json.dumps(MEMBER) + "\n" + json.dumps(MEMBER | {"name": "Zoë"}, ensure_ascii=False)).encode(encoding)
    )
    with pytest.raises(DirectoryError, match=r"members\.jsonl, line [12]: (is not UTF-8|.*JSON)"):
        read_rows(path, Member)


def test_unreadable_file(tmp_path: Path) -> None:
    """A file that cannot be opened is an error that names it and carries the cause."""
    (tmp_path / "members.jsonl").mkdir()
    with pytest.raises(DirectoryError, match=r"members\.jsonl cannot be read: it is a folder, not a file") as refused:
        read_rows(tmp_path / "members.jsonl", Member)
    assert isinstance(refused.value.__cause__, NotAFileError)


def test_messages_are_for_terminals(tmp_path: Path) -> None:
    """What a message quotes of a file has its control characters as escapes, and is cut if it is long."""
    row = json.dumps(MEMBER | {"role": "\x1b[31m" + "x" * 100_000})
    with pytest.raises(DirectoryError) as refused:
        read_rows(_write(tmp_path / "members.jsonl", row), Member)
    assert str(refused.value).isprintable()
    assert "\\x1b[31mxxx" in str(refused.value)
    assert len(str(refused.value)) < 1_100


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """Where the data folder's name is not UTF-8 or has control characters, messages have them as escapes."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b"))
    folder.mkdir()
    (folder / "members.jsonl").write_text("{")
    found = problems(folder)
    assert len(found) == len(EXPORTS)
    assert all(text.isprintable() and "\\udcff\\x1b" in text for text in found)


def test_problems(tmp_path: Path) -> None:
    """Problems are files that are broken, and exports that are missing or have no rows; local keys may be missing.

    A directory without any file is one problem, where one is expected.
    """
    for folder in (tmp_path / "nowhere", tmp_path):
        (text,) = problems(folder)
        assert text.startswith(f"{folder} has neither members.jsonl nor ")
        assert problems(folder, expected=False) == []
    assert problems(tmp_path, "s3://b/directory")[0].startswith("s3://b/directory has neither ")
    (tmp_path / "file").touch()
    assert len(problems(tmp_path / "file", expected=False)) == len(FILES)
    (tmp_path / LOCAL_KEYS).touch()
    assert [Path(text.split(" ")[0]).name for text in problems(tmp_path)] == list(EXPORTS)
    assert all(" is missing; " in text for text in problems(tmp_path, expected=False))
    for name in EXPORTS:
        (tmp_path / name).write_text("\n")
    assert all(" has no rows; " in text for text in problems(tmp_path))
    for name, row in zip(EXPORTS, (MEMBER, {"user_id": USER}, KEY), strict=True):
        _write(tmp_path / name, json.dumps(row))
    assert problems(tmp_path) == []
    for name in FILES:
        (tmp_path / name).write_text("{")
    assert [text.partition(",")[0] for text in problems(tmp_path)] == [str(tmp_path / name) for name in FILES]
