"""`usage keys`: who can get a key, what is stored, and what is shown."""

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pipeline import keys
from pipeline.contract.directory import LOCAL_KEYS, MEMBERS, PRODUCT_KEYS, ApiKey, read_rows, sha256_hex
from tests.support.key_commands import MEMBER, REMOVED, STRANGER, WORKSPACE, create, local_file, usage
from tests.support.permissions import permissions_obeyed


def test_a_new_key_is_shown_once_and_stored_as_its_hash(data_dir: Path) -> None:
    """Stdout has only the key; the file has its SHA-256, scopes and rate limit."""
    result = create(
        data_dir, MEMBER, "--scope", "workspace:read", "--scope", "voices:read", "--rate-limit-per-min", "60"
    )
    secret = result.stdout.removesuffix("\n")
    assert re.fullmatch(r"op_live_[0-9A-Za-z]{32}", secret)
    row = msgspec.json.decode(local_file(data_dir).read_bytes())
    assert result.stderr == f"id {row['id']}\n"
    assert row == {
        "id": row["id"],
        "key_sha256": sha256_hex(secret),
        "workspace_id": WORKSPACE,
        "user_id": MEMBER,
        "scopes": ["voices:read", "workspace:read"],
        "rate_limit_per_min": 60,
        "revoked_at": None,
    }


def test_neither_files_nor_the_list_reveal_the_key(data_dir: Path) -> None:
    """The key is in no file, the list shows neither key nor whole hash, and only owner and group may read the file."""
    secret = create(data_dir).stdout.strip()
    assert all(secret.encode() not in path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
    listed = usage(data_dir, "list")
    assert secret not in listed.output
    assert sha256_hex(secret) not in listed.output
    assert sha256_hex(secret)[:8] in listed.output
    assert re.search("no limit +active", listed.stdout)
    (shown,) = json.loads(usage(data_dir, "list", "--json").stdout)
    assert shown["key_sha256_prefix"] == sha256_hex(secret)[:8]
    assert sha256_hex(secret) not in str(shown)
    assert stat.S_IMODE(local_file(data_dir).stat().st_mode) == 0o640


def test_ids_may_be_given_in_any_case(data_dir: Path) -> None:
    """UUIDs are compared and stored in lower case."""
    result = usage(data_dir, "create", "--workspace", WORKSPACE.upper(), "--user", MEMBER.upper())
    assert result.exit_code == 0
    assert keys.stored(data_dir / "directory")[0][1].workspace_id == WORKSPACE


@pytest.mark.parametrize("user", [REMOVED, STRANGER])
def test_only_active_members_get_a_key(data_dir: Path, user: str) -> None:
    """A removed member and a stranger are refused in one sentence; a member's last row counts."""
    result = create(data_dir, user)
    assert result.exit_code == 2
    assert f"user {user} is not an active member of workspace {WORKSPACE}" in result.stderr
    assert not result.stdout
    assert not local_file(data_dir).exists()


def test_a_missing_directory_has_no_members(tmp_path: Path) -> None:
    """An empty data folder has no members, so no user gets a key."""
    assert create(tmp_path).exit_code == 2


def test_a_malformed_uuid_is_refused(data_dir: Path) -> None:
    """A malformed UUID is refused, and the message names the option."""
    result = usage(data_dir, "create", "--workspace", WORKSPACE[:-1], "--user", MEMBER)
    assert result.exit_code == 2
    assert "--workspace" in result.stderr


def test_a_member_is_named(data_dir: Path) -> None:
    """A name will do where one member has it, and no workspace where the member has one; nobody else gets a key."""
    result = usage(data_dir, "create", "--user", "Ada")
    assert result.exit_code == 0
    (key,) = read_rows(local_file(data_dir), ApiKey)
    assert (key.workspace_id, key.user_id) == (WORKSPACE, MEMBER)
    for name in ("Bob", "Eve", ""):
        result = usage(data_dir, "create", "--user", name)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)


BROKEN_MEMBERS = {
    "no fields": b'{"workspace_id": 5}',
    "malformed UUID": b'{"workspace_id": "w1", "user_id": "u1", "name": "Ada", "role": "admin", "status": "active"}',
    "not JSON": b"workspace,user",
    "not UTF-8": b'{"name": "\xff"}',
    "nested": b"[" * 9000,
}


@pytest.mark.parametrize("line", BROKEN_MEMBERS.values(), ids=BROKEN_MEMBERS)
def test_a_broken_members_file_gives_no_key(data_dir: Path, line: bytes) -> None:
    """A members file that the service would refuse is also refused here; the message names file and line."""
    with (data_dir / "directory" / MEMBERS).open("ab") as file:
        file.write(b"\n" + line + b"\n")
    result = create(data_dir)
    assert result.exit_code == 2
    assert f"{data_dir / 'directory' / MEMBERS}, line 6: " in result.stderr
    assert not local_file(data_dir).exists()


def test_a_members_file_with_a_byte_order_mark(data_dir: Path) -> None:
    """A byte order mark, which some editors write, is accepted, as in the service."""
    path = data_dir / "directory" / MEMBERS
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert create(data_dir).exit_code == 0


@pytest.mark.parametrize("name", ["api_keys.jsonl", "api_keys.local.jsonl"])
def test_a_broken_key_file(data_dir: Path, name: str) -> None:
    """`list` and `revoke` refuse a key file that the service would refuse, and leave it unchanged."""
    path = data_dir / "directory" / name
    path.write_text(
        f'{{"id": "k", "key_sha256": "ab", "workspace_id": "{WORKSPACE}", "user_id": "{MEMBER}", "scopes": []}}\n'
    )
    before = path.read_bytes()
    for arguments in (["list"], ["revoke", "x"]):
        result = usage(data_dir, *arguments)
        assert result.exit_code == 2
        assert f"{name}, line 1: " in result.stderr
    assert path.read_bytes() == before


def test_an_unreadable_members_file(data_dir: Path) -> None:
    """A folder in place of the members file is refused with a one-line message."""
    (data_dir / "directory" / MEMBERS).unlink()
    (data_dir / "directory" / MEMBERS).mkdir()
    result = create(data_dir)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "members.jsonl" in result.stderr


def test_a_revoked_key_stays_listed(data_dir: Path) -> None:
    """Revoking a key marks its row and keeps the others; revoking it again keeps the first time."""
    create(data_dir)
    create(data_dir)
    first, second = (key for _, key in keys.stored(data_dir / "directory"))
    assert usage(data_dir, "revoke", first.id).exit_code == 0
    revoked = keys.stored(data_dir / "directory")
    assert [key.revoked_at is None for _, key in revoked] == [False, True]
    assert usage(data_dir, "revoke", first.id).exit_code == 0
    assert keys.stored(data_dir / "directory") == revoked
    assert second == revoked[1][1]
    assert f"revoked {revoked[0][1].revoked_at}" in usage(data_dir, "list").stdout


def test_a_product_key_is_listed_but_not_revoked(data_dir: Path) -> None:
    """A product key must be revoked in the product, because the next export would restore it."""
    key = ApiKey("key_p", "ab" * 32, WORKSPACE, MEMBER, ("workspace:read",))
    keys.write_rows(data_dir / "directory" / PRODUCT_KEYS, [key])
    assert keys.stored(data_dir / "directory") == [("api_keys.jsonl", key)]
    result = usage(data_dir, "revoke", "key_p")
    assert result.exit_code == 2
    assert "revoke it in the product" in result.stderr


def test_an_unknown_key_cannot_be_revoked(data_dir: Path) -> None:
    """Revoking an unknown key fails, and the message names its id."""
    result = usage(data_dir, "revoke", "key_x")
    assert result.exit_code == 2
    assert "no key key_x" in result.stderr


FAULTS: dict[str, Callable[[Path], object]] = {
    "it is a named pipe, not a file": os.mkfifo,
    "it is a folder, not a file": Path.mkdir,
    "it is a device, not a file": lambda path: path.symlink_to("/dev/zero"),
    "Permission denied": lambda path: path.touch(0o000),
    "line 1: is not UTF-8": lambda path: path.write_bytes(b"\xff\xfe{\0}\0"),
    "line 1: ": lambda path: path.write_text('{"id": "\\u001b[31m", "scopes": "\x1b[31m"}'),
}


@pytest.mark.parametrize("name", [PRODUCT_KEYS, LOCAL_KEYS, MEMBERS])
@pytest.mark.parametrize("reason", FAULTS)
def test_what_is_no_key_file(data_dir: Path, reason: str, name: str) -> None:
    """What is no readable file of keys or members is named in one line, without waiting, and nothing is written."""
    path = data_dir / "directory" / name
    path.unlink(missing_ok=True)
    FAULTS[reason](path)
    with permissions_obeyed():
        for result in (
            usage(data_dir, "list") if name != MEMBERS else None,
            usage(data_dir, "revoke", "key_x") if name != MEMBERS else None,
            create(data_dir) if name != PRODUCT_KEYS else None,
        ):
            if result is not None:
                assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
                assert result.stderr.startswith(str(path))
                assert reason in result.stderr
                assert result.stderr.removesuffix("\n").isprintable()
    assert name == LOCAL_KEYS or not local_file(data_dir).exists()


def test_folder_that_cannot_be_written(data_dir: Path) -> None:
    """A folder where no key can be stored is a failure in one line, and no key is shown."""
    (data_dir / "directory").chmod(0o500)
    with permissions_obeyed():
        result = create(data_dir)
    (data_dir / "directory").chmod(0o700)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert "Permission denied" in result.stderr


def test_list_is_for_terminals(data_dir: Path) -> None:
    """Control characters of an exported key are shown as escapes, each key in a line."""
    keys.write_rows(
        data_dir / "directory" / PRODUCT_KEYS,
        [ApiKey("a\x1b[31m\n", "a" * 64, WORKSPACE, MEMBER, ("x\ty",), None, "\x07")],
    )
    listed = usage(data_dir, "list").stdout
    headings, row = listed.splitlines()
    assert headings.startswith("id ")
    assert row.startswith("a\\x1b[31m\\n ")
    assert row.isprintable()
