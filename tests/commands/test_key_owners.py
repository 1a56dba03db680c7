"""Whom a new key belongs to: a member by UUID or name, in a workspace that is named or the only one."""

from pathlib import Path

import pytest

from pipeline import keys
from pipeline.contract.directory import MEMBERS, DirectoryError, Member
from pipeline.keys import AmbiguousError, NotAMemberError, Owner, find_owner

FIRST, SECOND = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "7f9619ff-8b86-4d01-b42d-00cf4fc964ff"
ADA, ADA_2, BOB, ZOE, GONE = (f"{number}1111111-1111-4111-8111-11111111111a" for number in range(1, 6))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with two workspaces, and members with and without namesakes."""
    folder = tmp_path_factory.mktemp("data") / "directory"
    keys.write_rows(
        folder / MEMBERS,
        [
            Member(FIRST.upper(), ADA.upper(), "Ada", "admin", "active"),
            Member(FIRST, ADA_2, "ADA", "viewer", "active"),
            Member(SECOND, ADA_2, "Ada", "viewer", "active"),
            Member(FIRST, BOB, "Bob", "editor", "active"),
            Member(SECOND, BOB, "Robert", "editor", "active"),
            Member(SECOND, ZOE, "Zoë", "viewer", "removed"),
            Member(SECOND, ZOE, "Zoë Å", "viewer", "active"),
            Member(SECOND, GONE, "Gone", "viewer", "active"),
            Member(SECOND, GONE, "Gone", "viewer", "removed"),
        ],
    )
    return folder


@pytest.mark.parametrize(
    ("user", "workspace_id", "owner"),
    [
        (ADA, FIRST, Owner(FIRST, ADA)),
        (ADA.upper(), None, Owner(FIRST, ADA)),
        ("Ada", FIRST, Owner(FIRST, ADA)),  # exactly, although another is called ADA
        ("ADA", FIRST, Owner(FIRST, ADA_2)),
        ("ada", SECOND, Owner(SECOND, ADA_2)),
        ("Bob", FIRST, Owner(FIRST, BOB)),
        ("robert", SECOND, Owner(SECOND, BOB)),
        ("ZOË å", None, Owner(SECOND, ZOE)),
    ],
)
def test_found(directory: Path, user: str, workspace_id: str | None, owner: Owner) -> None:
    """A member is found by UUID or name in any case, exact names first, and the only workspace goes without saying."""
    assert find_owner(directory, user, workspace_id) == owner


@pytest.mark.parametrize(
    ("user", "workspace_id", "message"),
    [
        (ADA, SECOND, f"user {ADA} is not an active member of workspace {SECOND} according to members.jsonl"),
        (GONE, None, f"user {GONE} is not an active member of any workspace according to members.jsonl"),
        ("Gone", SECOND, f"nobody named 'Gone' is an active member of workspace {SECOND} according to members.jsonl"),
        ("Zoë", None, "nobody named 'Zoë' is an active member of any workspace according to members.jsonl"),
        ("", FIRST, f"nobody named '' is an active member of workspace {FIRST} according to members.jsonl"),
        (ADA[:-1], FIRST, f"nobody named '{ADA[:-1]}' is an active member of workspace {FIRST} according to"),
    ],
)
def test_nobody(directory: Path, user: str, workspace_id: str | None, message: str) -> None:
    """A removed member, a former name, a stranger and half a UUID are nobody."""
    with pytest.raises(NotAMemberError) as refused:
        find_owner(directory, user, workspace_id)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("user", "workspace_id", "message"),
    [
        ("ada", FIRST, f"2 members are named 'ada': name one by UUID: {ADA} 'Ada', {ADA_2} 'ADA'"),
        ("Ada", None, f"2 members are named 'Ada': name one by UUID: {ADA} 'Ada', {ADA_2} 'Ada'"),
        ("Robert", None, f"user {BOB} is a member of 2 workspaces: name one of them: {FIRST}, {SECOND}"),
        (BOB, None, f"user {BOB} is a member of 2 workspaces: name one of them: {FIRST}, {SECOND}"),
    ],
)
def test_several(directory: Path, user: str, workspace_id: str | None, message: str) -> None:
    """Where several members or workspaces are meant, all are named, so that the command can be repeated with one."""
    with pytest.raises(AmbiguousError) as refused:
        find_owner(directory, user, workspace_id)
    assert str(refused.value) == message


def test_many(tmp_path: Path) -> None:
    """Of many members of one name ten are listed; a broken file is an error of its own."""
    ids = [f"{number:08}-1111-4111-8111-111111111111" for number in range(12)]
    path = tmp_path / "directory" / MEMBERS
    keys.write_rows(path, [Member(FIRST, id_, "Ada", "viewer", "active") for id_ in reversed(ids)])
    with pytest.raises(AmbiguousError, match=r"and 2 more$") as refused:
        find_owner(path.parent, "Ada", FIRST)
    assert [id_ in str(refused.value) for id_ in ids] == [True] * 10 + [False] * 2
    assert len(refused.value.candidates) == 12
    path.write_text("{")
    with pytest.raises(DirectoryError):
        find_owner(path.parent, "Ada", FIRST)
